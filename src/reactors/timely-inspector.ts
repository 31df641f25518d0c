/** An inspector whose answers do not keep anybody waiting: the engine can be lost in a value for minutes, and can not be called back. */
import { RatchetError } from '../domain/errors.ts';
import type { Inspector } from '../ports/debug-sandbox.ts';

/**
 * @param ms milliseconds that an answer may take
 * @returns an inspector that fails with `execution_timeout` then. Nothing more comes of such a process, so it should be ended.
 */
export function timely(inspector: Inspector, ms: number): Inspector {
  return {
    listen: (listener) => inspector.listen(listener),
    send: async (method, params) => {
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        late.reject(new RatchetError('execution_timeout', `the engine did not answer within ${ms} ms`));
      }, ms);
      try {
        return await Promise.race([inspector.send(method, params), late.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
