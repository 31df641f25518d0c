/** Names on both sides: operations speak snake case, GraphQL speaks camel case; the words are the same. */

/** `get_task` becomes `getTask`. What has no underscore stays as it is. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `execution_id` becomes `ExecutionId`. */
export function pascalCase(name: string): string {
  const camel = camelCase(name);
  return camel.charAt(0).toUpperCase() + camel.slice(1);
}

/** `executionId` becomes `execution_id`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
