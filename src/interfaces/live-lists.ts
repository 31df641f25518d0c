/** Lists live: all there is at first, then each member again whenever it has changed. */
import { z } from 'zod';
import { schedulesById } from '../../queries/schedule.ts';
import { tasksById } from '../../queries/task.ts';
import { isAllowedTask } from '../domain/access.ts';
import { type Category, idOf } from '../domain/event.ts';
import type { LiveMessage, OpenLive, Watch } from './live-watch.ts';
import { parse } from './operation.ts';
import { assertPosition } from './problems.ts';

/** More is told by the pages of the list. */
const SNAPSHOT = 1_000;
const REACH_MS = 10_000;

interface Kind {
  readonly category: Category;
  /** Name of a message about one member, and of the member in it. */
  readonly event: string;
  /** Members as the list tells them, by id. */
  readonly read: (watch: Watch, ids: readonly string[]) => Promise<ReadonlyMap<string, object>>;
  /** Name of the task that a member belongs to. */
  readonly taskOf: (member: object) => unknown;
}

/** `snapshot`: the answer of the operation, to those who come for the first time; then one message for each change. */
function listLive({ category, event, read, taskOf }: Kind): OpenLive {
  return async (watch, input) => {
    const { core, operation, caller, signal } = watch;
    parse(z.strictObject({}), input);
    const { store } = core.query;
    const after = caller.lastId ?? (await store.head());
    await assertPosition(store, after, 'last-event-id');
    const snapshot = await operation.run(core, { limit: SNAPSHOT }, { ...caller, minPosition: after });
    return (async function* (): AsyncGenerator<LiveMessage, void> {
      if (caller.lastId === null) yield { id: after, event: 'snapshot', data: snapshot };
      for await (const page of store.subscribe(after, { categories: [category] }, signal)) {
        const last = page.events.at(-1);
        if (last === undefined) continue;
        await core.progress.reach(last.position, REACH_MS);
        const members = await read(watch, [...new Set(page.events.map(({ stream }) => idOf(stream)))]);
        for (const stored of page.events) {
          const member = members.get(idOf(stored.stream));
          const name = member === undefined ? undefined : taskOf(member);
          if (typeof name !== 'string' || !isAllowedTask(caller.principal.tasks, name)) continue;
          yield { id: stored.position, event, data: { change: stored.type, [event]: member } };
        }
      }
    })();
  };
}

export const tasksLive: OpenLive = listLive({
  category: 'task',
  event: 'task',
  read: ({ core }, ids) => tasksById(core.query, ids),
  taskOf: (task) => ('name' in task ? task.name : null),
});

export const schedulesLive: OpenLive = listLive({
  category: 'schedule',
  event: 'schedule',
  read: ({ core }, ids) => schedulesById(core.query, ids),
  taskOf: (schedule) => ('task_name' in schedule ? schedule.task_name : null),
});
