import ts from 'typescript';

/** Where a function takes input, and which of these are objects of options. */
export interface Places {
  readonly places: readonly string[];
  readonly records: readonly string[];
}

/** Recursive types, as a transaction within a transaction, are followed so far. */
const MAX_DEPTH = 5;

/** All that the types of the parameters name. Whatever is an object with methods is taken whole: it is not the caller's. */
export function placesOf(
  checker: ts.TypeChecker,
  signatures: readonly ts.Signature[],
  isOurs: (symbol: ts.Symbol) => boolean,
): Places {
  const places = new Set<string>();
  const records = new Set<string>();

  function visit(type: ts.Type, path: string, depth: number): void {
    places.add(path);
    if (depth === MAX_DEPTH) return;
    if (type.isUnion()) {
      for (const part of type.types) visit(part, path, depth);
      return;
    }
    const element = checker.getIndexTypeOfType(type, ts.IndexKind.Number);
    if (element !== undefined && checker.isArrayLikeType(type)) {
      visit(element, `${path}.0`, depth + 1);
      return;
    }
    if (!isRecord(type)) return;
    records.add(path);
    for (const property of checker.getPropertiesOfType(type)) {
      visit(checker.getTypeOfSymbol(property), `${path}.${property.name}`, depth + 1);
    }
  }

  function isRecord(type: ts.Type): boolean {
    if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return false;
    if (type.getCallSignatures().length > 0 || type.getConstructSignatures().length > 0) return false;
    const properties = checker.getPropertiesOfType(type);
    const own = properties.filter(isOurs);
    if (own.length === 0 || own.length < properties.length) return false;
    return !own.some((property) => (property.flags & ts.SymbolFlags.Method) !== 0);
  }

  for (const signature of signatures) {
    for (const [i, parameter] of signature.parameters.entries()) {
      visit(checker.getTypeOfSymbol(parameter), `${i}`, 0);
    }
  }
  return { places: [...places], records: [...records] };
}
