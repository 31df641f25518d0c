/** Lets Kysely speak to PostgreSQL so that read models behave there as they do in SQLite, from the same code. */
import {
  type BinaryOperationNode,
  type DataTypeNode,
  type Dialect,
  OperatorNode,
  PostgresDialect,
  PostgresQueryCompiler,
  type PrimaryKeyConstraintNode,
} from 'kysely';
import { type CustomTypesConfig, type Pool, types } from 'pg';
import { tellingDriver } from './telling-driver.ts';

/** @returns a dialect over a pool, which stays the caller's to close; `told` makes of the driver's errors those that are thrown. */
export function postgresDialect(pool: Pool, told: (error: unknown) => unknown): Dialect {
  const dialect = new PostgresDialect({ pool });
  return {
    createAdapter: () => dialect.createAdapter(),
    createDriver: () => tellingDriver(dialect.createDriver(), told),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => new ReadModelCompiler(),
  };
}

class ReadModelCompiler extends PostgresQueryCompiler {
  /** Text is ordered by its bytes: positions and cursors are compared as text, in no language. */
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node);
    if (node.dataType === 'text') this.append(' collate "C"');
  }

  /** The database names keys: a table that is built beside the old one must not take its names. */
  protected override visitPrimaryKeyConstraint({ name: _, ...node }: PrimaryKeyConstraintNode): void {
    super.visitPrimaryKeyConstraint(node);
  }

  /** People who search do not mind case, and a backslash in what they search for is one. */
  protected override visitBinaryOperation(node: BinaryOperationNode): void {
    const isLike = OperatorNode.is(node.operator) && node.operator.operator === 'like';
    if (!isLike) return super.visitBinaryOperation(node);
    super.visitBinaryOperation({ ...node, operator: OperatorNode.create('ilike') });
    this.append(" escape ''");
  }

  protected override appendValue(parameter: unknown): void {
    super.appendValue(storable(parameter));
  }
}

/**
 * @returns a value as a column takes it: booleans as 0 and 1, and text without the NUL character, which PostgreSQL can
 * not keep. Of a read model that is no loss: the event has it.
 */
export function storable(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
}

const BIGINT = 20;
const NUMERIC = 1700;

/** Columns and counts are numbers that fit; the driver would give them as text. */
export const NUMBERS_AS_NUMBERS: CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === BIGINT || oid === NUMERIC ? Number : types.getTypeParser(oid, format),
};
