/** What a node of a cluster can be there for; each has all roles unless told otherwise. */

/** `api` answers callers, `worker` runs executions and fires schedules, `projector` may keep the read models. */
export const NODE_ROLES = ['api', 'worker', 'projector'] as const;
export type NodeRole = (typeof NODE_ROLES)[number];
