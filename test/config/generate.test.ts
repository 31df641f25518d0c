import { expect, it } from 'vitest';
import { generatedConfig } from '../../config/generate.ts';
import { schema } from '../../config/schema.ts';
import { showConfig } from '../../config/show.ts';
import { knownKeys } from '../../config/walk.ts';
import { load } from './support.ts';

it('a generated file sets nothing as it is, and every default when it is commented in', () => {
  const text = generatedConfig();
  const shown = (yaml: string) => showConfig(load(yaml)).map(({ path, value }) => [path, value]);
  expect(shown(text)).toEqual(shown(''));
  const commentedIn = text.replaceAll(/^# /gm, '');
  expect(Object.fromEntries(shown(commentedIn))).toMatchObject(Object.fromEntries(shown('')));
  const names = [...knownKeys(schema)].map(({ path }) => path).filter((path) => !/\[\]|<name>/.test(path));
  for (const path of names) expect(text).toContain(`${path.slice(path.lastIndexOf('.') + 1)}:`);
});
