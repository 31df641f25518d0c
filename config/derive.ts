/** Values that follow from other values, put in before the check so that they carry the origin of what they follow from. */
import { find, fromValue, overlaySection, put, type Place, type Section, type Tree } from './tree.ts';

/** Puts in what other keys imply: `workers.count` from `server.worker_threads`, the auth type from keys or a token section. */
export function followed(tree: Section): Section {
  let derived = tree;
  const follow = (path: string, from: Tree | undefined, value?: string): void => {
    if (from === undefined || find(derived, path) !== undefined) return;
    derived = put(derived, path, value === undefined ? from : { kind: 'leaf', value, place: from.place });
  };
  follow('workers.count', find(tree, 'server.worker_threads'));
  for (const [type, section] of [
    ['auth.type', 'auth'],
    ['mcp.auth_type', 'mcp'],
  ] as const) {
    const keys = find(tree, `${section}.api_keys`);
    follow(type, keys?.kind === 'list' && keys.items.length > 0 ? keys : undefined, 'api_key');
    follow(type, find(tree, `${section}.jwt`), 'jwt');
    follow(type, find(tree, `${section}.oauth2`), 'oauth2');
  }
  return derived;
}

/**
 * Lays the tree over the defaults that depend on the machine.
 *
 * @param tasksFolder watched where no source is given; null when there is none
 */
export function overDefaults(tree: Section, databaseUrl: string, tasksFolder: string | null, place: Place): Section {
  const defaults = fromValue(
    {
      database: { url: databaseUrl },
      logging: { sinks: [{ type: 'console' }] },
      ...(tasksFolder !== null && {
        registry: { sources: [{ name: 'tasks', uri: tasksFolder, watch_for_changes: true }] },
      }),
    },
    place,
  );
  return defaults?.kind === 'section' ? overlaySection(defaults, tree) : tree;
}
