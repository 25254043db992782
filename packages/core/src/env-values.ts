import { show } from '@coord/client/internal';

/** What a variable says, or why it cannot be understood. */
export type ReadResult = { readonly value: unknown } | { readonly problem: string };

/** Undefined: the variable says nothing. */
export type ReadValue = (text: string) => ReadResult | undefined;

/** As it stands: spaces may belong to a password. */
export const text: ReadValue = (given) => (given === '' ? undefined : { value: given });

/** A word of a fixed set, which whoever uses it checks. */
export const word: ReadValue = trimmed((given) => ({ value: given.toLowerCase() }));

/** Separated by commas. */
export const list: ReadValue = trimmed((given) => {
  const parts = given.split(',').map((part) => part.trim());
  return { value: parts.filter((part) => part !== '') };
});

export const number: ReadValue = trimmed((given) => {
  if (/^-?\d+(\.\d+)?$/.test(given)) return { value: Number(given) };
  return { problem: `must be a number in digits, such as 5000, got ${show(given)}` };
});

export const flag: ReadValue = trimmed((given) => {
  if (/^(true|1|yes|on)$/i.test(given)) return { value: true };
  if (/^(false|0|no|off)$/i.test(given)) return { value: false };
  return { problem: `must be true or false, got ${show(given)}` };
});

function trimmed(read: (given: string) => ReadResult): ReadValue {
  return (given) => (given.trim() === '' ? undefined : read(given.trim()));
}
