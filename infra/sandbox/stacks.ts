/** Stacks as tasks and people see them: frames of the task's own file only, and never a path of this process. */

let shown = '';

/** From now on errors made in contexts show frames of `file`. */
export function showFramesOf(file: string): void {
  shown = file;
}

const describe = Error.prototype.toString;

function header(error: unknown): string {
  try {
    return String(Reflect.apply(describe, error, []));
  } catch {
    return 'Error';
  }
}

/** Node formats the stacks of all contexts by this one function, so it sees task errors, whose getters may throw. */
function format(error: unknown, frames: readonly NodeJS.CallSite[]): string {
  try {
    let text = header(error);
    // By index: the list belongs to the context, whose iterators may have been changed.
    for (let index = 0; index < frames.length; index += 1) {
      const frame = frames[index];
      if (frame?.getFileName() === shown) text += `\n    at ${String(frame)}`;
    }
    return text;
  } catch {
    return 'Error';
  }
}

/** Installs the formatter where nothing can replace it. */
export function installStackFormat(): void {
  Object.defineProperty(Error, 'prepareStackTrace', { value: format, writable: false, configurable: false });
}
