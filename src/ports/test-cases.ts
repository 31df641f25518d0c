/** What the write side asks about a test as an author writes it: the one shape that tests are stored and run in. */
import type { Json } from '../domain/event.ts';
import type { TaskTest } from './task-source.ts';

export interface TestCases {
  /** Reads one test (task format: Test file). `place` stands before the names of wrong fields. Fails with `invalid_request`. */
  read(test: Json, place: string): TaskTest;
}
