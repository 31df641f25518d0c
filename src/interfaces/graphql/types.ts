/** The object types of the schema: what answers are made of. Inputs are derived from the operations, see input-types.ts. */

export const TYPES = `
"Any JSON value."
scalar JSON

enum ExecutionStatus { pending running waiting completed failed cancelled }
enum TaskStatus { enabled disabled deleted }
enum LogLevel { trace debug info warn error }

type PageInfo {
  hasNextPage: Boolean!
  "Whether something stands before the page is known only for pages after a cursor."
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}

"A named unit of JavaScript with input and output schemas, tests and metadata."
type Task {
  id: ID!
  uuid: ID
  name: String!
  label: String
  description: String!
  status: TaskStatus!
  version: Int!
  versionLabel: String!
  contentHash: String!
  tags: [String!]!
  category: String
  author: String
  dangerous: Boolean!
  source: String
  "Commit, or SHA-256 of the archive, that the source had."
  revision: String
  createdAt: String!
  updatedAt: String!
  "Of the task's current version, as are the following; asked for only where they are wanted."
  code: String
  inputSchema: JSON
  outputSchema: JSON
  tests: JSON
  metadata: JSON
  publishedBy: String
  publishedAt: String
  "Its executions, the newest first."
  executions(status: ExecutionStatus, first: Int = 20, after: String): ExecutionConnection!
  versions(first: Int = 20, after: String): TaskVersionConnection!
}
type TaskEdge { node: Task! cursor: String! }
type TaskConnection { edges: [TaskEdge!]! pageInfo: PageInfo! }

type TaskVersion {
  version: Int!
  versionLabel: String!
  contentHash: String!
  description: String!
  source: String
  "Commit, or SHA-256 of the archive, that the source had."
  revision: String
  publishedBy: String!
  publishedAt: String!
}
type TaskVersionEdge { node: TaskVersion! cursor: String! }
type TaskVersionConnection { edges: [TaskVersionEdge!]! pageInfo: PageInfo! }

"A page or a drawing."
type Document { mediaType: String! body: String! }

type Replay {
  replayId: ID!
  executionId: ID!
  attempt: Int!
  mode: String!
  status: String!
  verdict: String
  principal: String!
  taskId: ID!
  taskName: String!
  taskVersion: Int!
  patchedCode: Boolean!
  patchedInput: Boolean!
  stubs: Int!
  allowLive: Boolean!
  error: JSON
  startedAt: String!
  durationMs: Float
  "What its caller was told; null for a faithful one that found no difference."
  result: JSON
  execution: Execution
}
type ReplayEdge { node: Replay! cursor: String! }
type ReplayConnection { edges: [ReplayEdge!]! pageInfo: PageInfo! }

"Failed executions with the same cause."
type FailureGroup {
  fingerprint: ID!
  count: Int!
  tasks: Int!
  firstSeen: String!
  lastSeen: String!
  "The newest one."
  sample: JSON
}

"A stored fact, without what readers may not see."
type Event {
  eventId: ID!
  stream: String!
  version: Int!
  position: String!
  type: String!
  schemaVersion: Int!
  occurredAt: String!
  recordedAt: String!
  principal: String!
  commandId: String!
  correlationId: String!
  causationId: String
  traceparent: String
  data: JSON!
}
type EventEdge { node: Event! cursor: String! }
type EventConnection { edges: [EventEdge!]! pageInfo: PageInfo! }

"A decision or a refusal."
type AuditEntry {
  position: String!
  occurredAt: String!
  principal: String!
  action: String!
  subject: String!
  subjectId: String!
  commandId: String!
  correlationId: String!
  details: JSON
}
type AuditEntryEdge { node: AuditEntry! cursor: String! }
type AuditEntryConnection { edges: [AuditEntryEdge!]! pageInfo: PageInfo! }

type Health {
  status: String!
  version: String!
  "All parts, as the health page tells them."
  parts: JSON!
}

"What became of a change to a task."
type TaskTicket {
  id: ID!
  name: String!
  status: TaskStatus!
  version: Int!
  versionLabel: String!
  contentHash: String!
  changed: Boolean!
  position: String!
  "What could be wrong with it, of one that was created or edited."
  problems: JSON
  "Of an edit: the version it was made on, the parts that changed, the lines of code that differ, and what the tests said."
  previousVersion: Int
  changedParts: [String!]
  codeDifference: JSON
  tests: JSON
  task: Task
}

"Something has happened to a task."
type TaskUpdate {
  position: String!
  type: String!
  occurredAt: String!
  principal: String!
  taskId: ID!
  "As it is known now, this event included."
  task: Task
}
`;

/** Fed by the log; each goes on after \`from\`, or after now when that is left out. */
export const SUBSCRIPTIONS = `
type Subscription {
  "What happens to one execution, until it ends, or to all."
  executionUpdated(executionId: ID, from: String): ExecutionUpdate!
  "Log lines of at least this level, until the execution ends."
  executionLogs(executionId: ID!, level: LogLevel = trace, from: String): LogUpdate!
  "Steps and spans, until the execution ends."
  executionTrace(executionId: ID!, from: String): TraceUpdate!
  "What happens to one task, or to all."
  taskChanged(taskId: ID, from: String): TaskUpdate!
  "What happens to one batch and its items, until it ends."
  batchUpdated(batchId: ID!, from: String): BatchUpdate!
  "Every event of these stream categories and types."
  events(from: String, categories: [String!], types: [String!]): Event!
}
`;
