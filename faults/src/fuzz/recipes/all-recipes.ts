import type { Recipes } from '../recipe.js';
import type { Stage } from '../stage.js';
import { clientRecipes } from './client-recipes.js';
import { configRecipes } from './config-recipes.js';
import { resolverRecipes } from './core-recipes.js';
import { lockRecipes } from './lock-recipes.js';
import { registryRecipes } from './registry-recipes.js';

export function allRecipes(stage: Stage): Recipes {
  return {
    ...clientRecipes(stage),
    ...lockRecipes(stage),
    ...registryRecipes(stage),
    ...configRecipes(stage),
    ...resolverRecipes(stage),
  };
}

/** What is left out, by the name of a public function, with the reason. */
export const LEFT_OUT: readonly { readonly name: RegExp; readonly why: string }[] = [
  {
    name: /^(@coord\/testkit |Cluster|EtcdServer\.|Proxy\.|PeerLine\.)/,
    why: 'starts and ends processes; it runs in tests, whose authors see what it does',
  },
  {
    name: /^ServiceCodec\./,
    why: 'the registry calls it, and so does nobody else; what it throws isolates the value',
  },
];
