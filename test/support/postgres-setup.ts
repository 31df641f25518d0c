/** Chooses once for a run of tests which PostgreSQL they get, and says so. */
import { dockerAnswers, fetchImage } from './docker.ts';
import { POSTGRES_IMAGE } from './postgres-container.ts';
import { choosePostgres, saidOf } from './server-choice.ts';

export default async function setup(): Promise<void> {
  const choice = await choosePostgres({
    given: process.env['DATABASE_URL_TEST'],
    asked: process.env['TEST_POSTGRES'],
    dockerAnswers,
    fetchImage: () => fetchImage(POSTGRES_IMAGE),
  });
  process.stderr.write(`${saidOf(choice)}\n`);
  // The processes that run the tests take it from here.
  if (choice.kind !== 'given') process.env['TEST_POSTGRES'] = choice.kind;
}
