/** The object types of the schema that tell of batches. */

export const BATCH_TYPES = `
enum BatchStatus { running cancelling completed failed cancelled }
enum BatchItemStatus { pending running completed failed cancelled skipped }

"How many items are in each state."
type BatchCounts { pending: Int! running: Int! completed: Int! failed: Int! cancelled: Int! skipped: Int! }

"Many executions that were asked for at once, some of which wait for the outputs of others."
type Batch {
  batchId: ID!
  status: BatchStatus!
  total: Int!
  counts: BatchCounts!
  progressPercent: Float!
  maxParallel: Int
  failFast: Boolean!
  metadata: JSON
  principal: String!
  requestedAt: String!
  endedAt: String
  position: String!
  "A page of its items, in the order they were asked for."
  items(status: BatchItemStatus, first: Int = 100, after: String): BatchItemConnection!
}
type BatchEdge { node: Batch! cursor: String! }
type BatchConnection { edges: [BatchEdge!]! pageInfo: PageInfo! }

type BatchItem {
  id: ID!
  executionId: ID!
  taskId: ID!
  taskName: String!
  taskVersion: Int!
  dependsOn: [ID!]!
  priority: Int!
  status: BatchItemStatus!
  "Why it did not complete, where its execution does not tell."
  error: JSON
  startedAt: String
  endedAt: String
  "Also before it has begun."
  execution: Execution
}
type BatchItemEdge { node: BatchItem! cursor: String! }
type BatchItemConnection { edges: [BatchItemEdge!]! pageInfo: PageInfo! }

"An item, and the execution that stands for it from now on."
type BatchItemTicket { id: ID! executionId: ID! taskId: ID! taskName: String! dependsOn: [ID!]! }

"What became of a request or a cancellation of a batch."
type BatchTicket {
  batchId: ID!
  status: BatchStatus!
  position: String!
  "Null for one that was cancelled."
  items: [BatchItemTicket!]
  batch: Batch
}

"Something has happened to a batch, or to one of its items."
type BatchUpdate {
  position: String!
  type: String!
  occurredAt: String!
  batchId: ID!
  "Null for what concerns the batch."
  item: ID
  executionId: ID
  status: BatchItemStatus
  "As it is known now, this event included."
  batch: Batch
}
`;
