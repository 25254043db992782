import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { placesOf } from './typed-places.js';

/** A function that users can call: exported, or a method of an object that such a function gives them. */
export interface PublicFunction {
  /** `@coord/lock createLocks`, `DistributedLock.acquire`. */
  readonly name: string;
  /** Where input is taken: `0`, `1.timeoutMs`, `0.success.0.put.key`. Empty for a function without parameters. */
  readonly places: readonly string[];
  /** Those of them that are an object of named options. */
  readonly records: readonly string[];
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/**
 * Every public function of every package, as the TypeScript compiler sees it: what the entry points export, and from
 * there on what their results have, whether they come as they are, in a promise, a list or an iteration.
 */
export function publicFunctions(): readonly PublicFunction[] {
  const entries = entryPoints();
  const program = ts.createProgram([...entries.keys()], compilerOptions());
  const explorer = new Explorer(program.getTypeChecker());
  for (const [file, name] of entries) {
    const source = program.getSourceFile(file);
    if (source === undefined) throw new Error(`${file} is not there`);
    explorer.visitModule(source, name);
  }
  return explorer.found;
}

/** As the packages say it: the file of each entry point, by what users import it as. */
function entryPoints(): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const folder of readdirSync(join(ROOT, 'packages'))) {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', folder, 'package.json'), 'utf8'));
    for (const [path, target] of Object.entries<Record<string, string>>(manifest.exports)) {
      const source = target['@coord/source'];
      if (source === undefined || path === './internal') continue;
      entries.set(join(ROOT, 'packages', folder, source), join(manifest.name, path));
    }
  }
  // Core exports again what the others do: names are those of the package that a thing is from.
  return new Map([...entries].sort(([, a], [, b]) => Number(isCore(a)) - Number(isCore(b))));
}

const isCore = (name: string) => name.startsWith('@coord/core');

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.base.json'), (file) =>
    readFileSync(file, 'utf8'),
  );
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  return {
    ...options,
    composite: false,
    declaration: false,
    declarationMap: false,
    noEmit: true,
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  };
}

class Explorer {
  readonly found: PublicFunction[] = [];
  readonly #checker: ts.TypeChecker;
  readonly #seen = new Set<ts.Symbol>();

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  visitModule(source: ts.SourceFile, name: string): void {
    const module = this.#checker.getSymbolAtLocation(source);
    for (const exported of module === undefined ? [] : this.#checker.getExportsOfModule(module)) {
      const aliased = exported.flags & ts.SymbolFlags.Alias;
      const symbol = aliased ? this.#checker.getAliasedSymbol(exported) : exported;
      if (!(symbol.flags & ts.SymbolFlags.Value) || this.#seen.has(symbol)) continue;
      this.#seen.add(symbol);
      this.#visitValue(symbol, `${name} ${symbol.name}`);
    }
  }

  /** An exported function, or a class: its static functions and its instances. Errors are made by the library alone. */
  #visitValue(symbol: ts.Symbol, name: string): void {
    const type = this.#checker.getTypeOfSymbol(symbol);
    this.#add(name, type.getCallSignatures());
    for (const property of type.getProperties()) {
      if (!isOurs(property)) continue;
      this.#add(`${name}.${property.name}`, this.#checker.getTypeOfSymbol(property).getCallSignatures());
    }
    for (const signature of type.getConstructSignatures()) this.#visitResult(signature.getReturnType());
  }

  #visitResult(type: ts.Type): void {
    for (const argument of type.aliasTypeArguments ?? []) this.#visitResult(argument);
    if (type.isUnionOrIntersection()) {
      for (const part of type.types) this.#visitResult(part);
      return;
    }
    for (const argument of typeArguments(this.#checker, type)) this.#visitResult(argument);
    const symbol = type.aliasSymbol ?? type.getSymbol();
    if (symbol === undefined || !isOurs(symbol) || this.#seen.has(symbol)) return;
    this.#seen.add(symbol);
    for (const property of this.#checker.getPropertiesOfType(type)) {
      if (!isOurs(property)) continue;
      const value = this.#checker.getNonNullableType(this.#checker.getTypeOfSymbol(property));
      const signatures = value.getCallSignatures();
      if (signatures.length > 0) this.#add(`${symbol.name}.${property.name}`, signatures);
      else this.#visitResult(value);
    }
  }

  #add(name: string, signatures: readonly ts.Signature[]): void {
    if (signatures.length === 0) return;
    const { places, records } = placesOf(this.#checker, signatures, isOurs);
    this.found.push({ name, places, records });
    for (const signature of signatures) this.#visitResult(signature.getReturnType());
  }
}

function typeArguments(checker: ts.TypeChecker, type: ts.Type): readonly ts.Type[] {
  if (!(type.flags & ts.TypeFlags.Object)) return [];
  const { objectFlags } = type as ts.ObjectType;
  return objectFlags & ts.ObjectFlags.Reference ? checker.getTypeArguments(type as ts.TypeReference) : [];
}

function isOurs(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some((declaration) => {
    const folder = dirname(declaration.getSourceFile().fileName);
    return folder.startsWith(join(ROOT, 'packages')) && !folder.includes('node_modules');
  });
}
