/** Makes what a package ships: Node strips no types below node_modules, so the sources become bundles in `dist`. */
import { readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const COMMON = {
  absWorkingDir: ROOT,
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  sourcemap: 'linked',
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** Each finds the others beside itself, under these names. */
const SERVER = {
  main: 'src/main.ts',
  'projector-thread': 'src/projector-thread.ts',
  'sqlite-writer': 'infra/event-store/sqlite-writer.ts',
};

/** Each is one file with nothing to import: the process of a task may read no other. */
const CHILDREN = {
  'sandbox-child': 'infra/sandbox/child.ts',
  'sandbox-debug-child': 'infra/sandbox/debug-child.ts',
};

/** One file for browsers and programs, `ratchet/client` to those who import it. */
const CLIENT = 'src/clients/web/index.ts';
const CLIENT_FOLDER = 'dist/client';

/** Writes what the client promises, for those who check their types. */
function declareClient(): void {
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    declaration: true,
    emitDeclarationOnly: true,
    allowImportingTsExtensions: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    lib: ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
    rootDir: `${ROOT}src/clients/web`,
    outDir: `${ROOT}${CLIENT_FOLDER}`,
  };
  const program = ts.createProgram([`${ROOT}${CLIENT}`], options);
  const wrong = ts.getPreEmitDiagnostics(program);
  if (wrong.length > 0) throw new Error(ts.formatDiagnostics(wrong, ts.createCompilerHost(options)));
  program.emit(undefined, (file, text) => {
    // The sources stay behind: who reads a declaration finds the next one by the name of the bundle's kind.
    if (DECLARED.test(file)) ts.sys.writeFile(file, text.replace(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
  });
}

/** What `index.ts` hands on, and what that needs; the others are nobody's business. */
const DECLARED = /\/(?:index|client|answers|failure|json)\.d\.ts$/;

/** @returns packages that the bundles import. */
function packagesIn({ outputs }: Metafile): Set<string> {
  const paths = Object.values(outputs).flatMap(({ imports }) => imports);
  const outside = paths.filter(({ path, external }) => external === true && !isBuiltin(path));
  return new Set(outside.map(({ path }) => path.split('/', path.startsWith('@') ? 2 : 1).join('/')));
}

function declaredPackages(): Set<string> {
  const manifest: { readonly dependencies: Record<string, string> } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return new Set(Object.keys(manifest.dependencies));
}

rmSync(new URL('../../dist', import.meta.url), { recursive: true, force: true });
const server = await build({ ...COMMON, entryPoints: SERVER, splitting: true, chunkNames: 'chunk-[hash]' });
const children = await build({ ...COMMON, entryPoints: CHILDREN });
const client = await build({
  ...COMMON,
  platform: 'browser',
  target: 'es2024',
  packages: 'bundle',
  outdir: CLIENT_FOLDER,
  entryPoints: [CLIENT],
});
declareClient();

const declared = declaredPackages();
const undeclared = [...packagesIn(server.metafile)].filter((name) => !declared.has(name));
if (undeclared.length > 0) throw new Error(`imported, but no dependency of the package: ${undeclared.join(', ')}`);
const imported = packagesIn(children.metafile);
if (imported.size > 0) throw new Error(`the process of a task imports packages: ${[...imported].join(', ')}`);
const used = Object.keys(client.metafile.inputs).filter((path) => !path.startsWith('src/clients/web/'));
if (used.length > 0) throw new Error(`the web client holds more than itself: ${used.join(', ')}`);
const warnings = [...server.warnings, ...children.warnings, ...client.warnings];
if (warnings.length > 0) throw new Error(`the build has ${warnings.length} warning(s)`);
