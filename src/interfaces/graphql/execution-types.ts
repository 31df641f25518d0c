/** The object types of the schema that tell of executions and what hangs on them. */

export const EXECUTION_TYPES = `
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
`;
