/** Given these facts, when this command, then these facts: the way every decision is tested. */
import { expect } from 'vitest';
import type { Command, CommandMeta } from '../../commands/command.ts';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import type { ErrorCode } from '../../src/domain/errors.ts';
import type { Fact } from '../../src/domain/event.ts';

export const NOW = Date.parse('2026-01-02T03:04:05.678Z');

export const META: CommandMeta = {
  principal: LOCAL_ADMIN,
  commandId: 'command-1',
  correlationId: 'root-1',
  causationId: null,
  traceparent: null,
  now: NOW,
};

export function given<Input, State, Event extends Fact>(
  command: Command<Input, State, Event>,
  past: readonly Event[] = [],
) {
  const state = past.reduce(command.evolution.evolve, command.evolution.initial);
  return {
    when: (input: Input, meta: Partial<CommandMeta> = {}) => {
      const decide = () => command.decide(state, input, { ...META, ...meta });
      return {
        then: (...events: Event[]) => expect(decide()).toEqual(events),
        // biome-ignore lint/suspicious/noThenProperty: the words of the test
        thenNothing: () => expect(decide()).toEqual([]),
        thenTypes: (...types: Event['type'][]) => expect(decide().map((event) => event.type)).toEqual(types),
        thenFails: (code: ErrorCode) => expect(decide).toThrow(expect.objectContaining({ code })),
      };
    },
  };
}
