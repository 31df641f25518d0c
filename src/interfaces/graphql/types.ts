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
  publishedBy: String!
  publishedAt: String!
}
type TaskVersionEdge { node: TaskVersion! cursor: String! }
type TaskVersionConnection { edges: [TaskVersionEdge!]! pageInfo: PageInfo! }

type Progress { percent: Float! step: String message: String }

"Why an execution failed."
type ExecutionError {
  code: String!
  errorType: String!
  message: String!
  stack: String
  data: JSON
  cause: String
  "Whether the same request can succeed later without a change."
  recoverable: Boolean!
  suggestions: [String!]!
}

"What a task asks through ask()."
type Question { step: ID! question: String! schema: JSON askedAt: String! }

"One request to run one task version on one input."
type Execution {
  executionId: ID!
  taskId: ID!
  taskName: String!
  taskVersion: Int!
  status: ExecutionStatus!
  attempt: Int!
  source: String!
  principal: String!
  priority: Int!
  progress: Progress
  error: ExecutionError
  "The same for failures with the same cause."
  fingerprint: String
  stepCount: Int!
  logLineCount: Int!
  traceId: ID!
  parentId: ID
  originalExecution: ID
  retryReason: String
  forkStep: String
  requestedAt: String!
  startedAt: String
  waitUntil: String
  waitingFor: String
  finishedAt: String
  durationMs: Float
  input: JSON
  output: JSON
  "Those that nobody has answered."
  questions: [Question!]!
  metadata: JSON
  options: JSON
  sessionId: String
  clientInfo: String
  worker: String
  mode: String
  traceUrl: String!
  logsUrl: String!
  "Position of the last event that this is made of."
  position: String!
  task: Task
  "The journal."
  steps(attempt: Int, first: Int = 20, after: String): StepConnection!
  "Log lines of at least this level, oldest first."
  logs(level: LogLevel = trace, search: String, attempt: Int, first: Int = 20, after: String): LogLineConnection!
  "In the order in which they ended."
  spans(attempt: Int, first: Int = 50): [Span!]!
  trace(attempt: Int, includeHttpCalls: Boolean, analysis: Boolean): ExecutionTrace
  "The execution that started this one through runTask."
  parent: Execution
  "Executions that this one started through runTask, the newest first."
  children(first: Int = 20, after: String): ExecutionConnection!
  "The execution that this one repeats."
  original: Execution
  "Runs of this execution on its journal, the newest first."
  replays(first: Int = 20, after: String): ReplayConnection!
  "Why it failed; refused for one that has not."
  analysis(includeSuggestions: Boolean, includeContext: Boolean): JSON
}
type ExecutionEdge { node: Execution! cursor: String! }
type ExecutionConnection { edges: [ExecutionEdge!]! pageInfo: PageInfo! }

"One recorded interaction of a task with the outside."
type Step {
  attempt: Int!
  path: ID!
  kind: String!
  name: String!
  status: String!
  request: JSON
  outcome: JSON
  turn: Int
  startedAt: String
  endedAt: String
  durationMs: Float
  position: String!
}
type StepEdge { node: Step! cursor: String! }
type StepConnection { edges: [StepEdge!]! pageInfo: PageInfo! }

type LogLine {
  timestamp: String!
  level: LogLevel!
  message: String!
  context: JSON
  attempt: Int!
  ordinal: Int!
  spanId: ID!
  traceId: ID!
  position: String!
}
type LogLineEdge { node: LogLine! cursor: String! }
type LogLineConnection { edges: [LogLineEdge!]! pageInfo: PageInfo! summary: String }

type Span {
  spanId: ID!
  parentSpanId: ID
  name: String!
  kind: String!
  startTime: String!
  durationMs: Float!
  status: String!
  attributes: JSON
  attempt: Int!
}

"The spans of an execution as trees, with what can be said of them."
type ExecutionTrace {
  executionId: ID!
  status: ExecutionStatus!
  traceId: ID!
  "Trees of {span_id, parent_span_id, name, kind, start_time, duration_ms, status, attributes, children}."
  spans: JSON!
  criticalPath: JSON
  bottlenecks: JSON
  insights: JSON
  visualizationUrl: String!
}

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

"What became of a request to run something."
type ExecutionTicket {
  executionId: ID!
  status: String!
  "Position of what was stored: subscribe from here, or ask for answers that include it."
  position: String!
  output: JSON
  durationMs: Float
  error: ExecutionError
  created: Boolean
  changed: Boolean
  originalExecution: ID
  fromStep: String
  stepsKept: Int
  traceUrl: String
  logsUrl: String
  "How to find out more while it still runs."
  poll: JSON
  execution: Execution
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
  task: Task
}

"Something has happened to an execution."
type ExecutionUpdate {
  position: String!
  "Of the event, such as ExecutionCompleted."
  type: String!
  occurredAt: String!
  executionId: ID!
  "What the event made of it; null where it changes nothing about that."
  status: ExecutionStatus
  progress: Progress
  "As it is known now, this event included."
  execution: Execution
}

"A log line as it is written."
type LogUpdate { position: String! executionId: ID! line: LogLine! }

"A step that has begun or ended, or a span that has ended."
type TraceUpdate {
  position: String!
  type: String!
  occurredAt: String!
  executionId: ID!
  step: Step
  span: Span
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
  "Every event of these stream categories and types."
  events(from: String, categories: [String!], types: [String!]): Event!
}
`;
