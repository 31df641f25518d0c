/** The rights that the program needs in its database and no others, as a script for whoever may grant them. */
import { escapeIdentifier } from 'pg';

/**
 * A script for psql, to be run by the owner of the tables after `ratchet migrate`; running it again changes nothing.
 * The role may read and add events and make read models; nobody but the owner may change what the table of events is.
 *
 * @param role name of the role; it is made where there is none, and then can log in once it is given a password
 */
export function roleScript(role: string): string {
  const name = escapeIdentifier(role);
  return `-- Rights of the role that Ratchet connects as. Run it as the owner of the tables, after \`ratchet migrate\`:
--   ratchet migrate --roles ${/^\w+$/.test(role) ? role : 'NAME'} | psql "$DATABASE_URL"
-- Then give the role a password: ALTER ROLE ${name} PASSWORD '...';
DO $script$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)}) THEN
    CREATE ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), ${literal(role)});
  -- Read models are made, rebuilt and thrown away by the role itself, which owns them.
  EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', current_schema(), ${literal(role)});
END
$script$;
REVOKE ALL ON events, ratchet_migrations FROM PUBLIC, ${name};
GRANT ALL ON projection_checkpoints, projection_rebuilds, projector, rate_counts, read_store_origin TO ${name};
REVOKE ALL ON FUNCTION append_events FROM PUBLIC;
GRANT SELECT, INSERT ON events TO ${name};
GRANT SELECT ON ratchet_migrations TO ${name};
GRANT EXECUTE ON FUNCTION append_events TO ${name};
`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
