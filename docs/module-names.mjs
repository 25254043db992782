import { Converter, ReflectionKind } from 'typedoc';

/** A plug-in of TypeDoc: entry points are called as users import them, `@coord/lock` and not `lock/src`. */
export function load(application) {
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      module.name = `@coord/${module.name.replace('/src', '')}`;
    }
  });
}
