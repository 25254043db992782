/** What a function may be given by mistake or by malice: one list for the tests of all packages. */
export { CONTENTS, LARGE_CONTENTS } from './contents.js';
export { bad, CalledError, detached, hostile, imitation, revoked, throwing } from './hostile-objects.js';
export { BYTE_NAMES, NAMES, WELL_FORMED_NAMES } from './names.js';
export { ADDRESSES, NUMBERS } from './numbers.js';
export { WRONG_TYPES } from './wrong-types.js';
