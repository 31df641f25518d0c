/** The event log as PostgreSQL keeps it: the history of its tables and of the one function that appends. */
import type { Migration } from '../postgres/migrations.ts';

/** What an append expects of its stream, as a number beside the versions from 0. */
export const EXPECTED = { any: -3, 'stream-exists': -2, 'no-stream': -1 } as const;

/**
 * Payloads are bytes and not text, because text of PostgreSQL can not hold the NUL character that a payload may.
 * There is no row that holds the head: the last event tells it, in one look at the primary key, and so a role that
 * appends needs no right to change anything.
 */
const TABLES = `
  CREATE TABLE events (
    position bigint PRIMARY KEY CHECK (position > 0),
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 0),
    event_id uuid NOT NULL UNIQUE,
    type text COLLATE "C" NOT NULL,
    schema_version integer NOT NULL,
    occurred_at text NOT NULL,
    recorded_at text COLLATE "C" NOT NULL,
    principal text NOT NULL,
    command_id text NOT NULL,
    correlation_id text NOT NULL,
    causation_id text,
    traceparent text,
    payload bytea NOT NULL,
    category text COLLATE "C" NOT NULL GENERATED ALWAYS AS (split_part(stream, '-', 1)) STORED,
    UNIQUE (stream, version)
  );

  CREATE FUNCTION events_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $body$
  BEGIN
    RAISE EXCEPTION 'events are never changed and never deleted (%)', lower(TG_OP);
  END
  $body$;

  CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_never_changed();
`;

/**
 * Takes many appends in one transaction, of which each is stored or refused alone.
 *
 * The lock comes first and assigns no transaction id; each statement after it has a snapshot that is newer than the
 * lock, because the function is VOLATILE. So positions are given in the order of commits: no gap, no inversion, and a
 * reader that saw a position has seen all before it. The plans are fixed to the indexes, because they are made when the
 * table is empty and kept while it grows.
 */
const APPEND = `
  CREATE FUNCTION append_events(
    lock_timeout_ms integer,
    streams text[], append_streams integer[], expected bigint[], sizes integer[],
    event_appends integer[], event_ordinals integer[], event_ids uuid[], types text[], schema_versions integer[],
    occurred_ats text[], principals text[], command_ids text[], correlation_ids text[], causation_ids text[],
    traceparents text[], recorded_ats text[], payload_starts integer[], payload_sizes integer[], payloads bytea,
    OUT versions bigint[], OUT positions bigint[], OUT earlier jsonb
  )
  LANGUAGE plpgsql VOLATILE
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
  AS $body$
  DECLARE
    head bigint;
    recorded text;
    present text;
    heads bigint[];
    known integer[];
    befores bigint[];
    bases bigint[];
    stream_head bigint;
    accepted boolean := false;
  BEGIN
    PERFORM set_config('lock_timeout', lock_timeout_ms || 'ms', true);
    IF current_setting('synchronous_commit') = 'off' THEN
      PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM pg_advisory_xact_lock((1383686979::bigint << 32) | 'events'::regclass::oid::bigint);

    SELECT position, recorded_at INTO head, recorded FROM events ORDER BY position DESC LIMIT 1;
    head := coalesce(head, 0);
    present := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
    SELECT array_agg(
        coalesce((SELECT e.version FROM events e WHERE e.stream = s.stream ORDER BY e.version DESC LIMIT 1), -1)
        ORDER BY s.ordinal
      ) INTO heads
      FROM unnest(streams) WITH ORDINALITY AS s(stream, ordinal);
    SELECT array_agg(i.append),
        jsonb_agg(jsonb_build_array(i.append, i.ordinal, e.stream, e.version, e.position))
      INTO known, earlier
      FROM unnest(event_ids, event_appends, event_ordinals) AS i(id, append, ordinal)
      JOIN events e ON e.event_id = i.id;

    versions := array_fill(NULL::bigint, ARRAY[cardinality(sizes)]);
    positions := versions;
    befores := versions;
    bases := versions;
    FOR i IN 1 .. cardinality(sizes) LOOP
      CONTINUE WHEN known IS NOT NULL AND i = ANY (known);
      stream_head := heads[append_streams[i]];
      IF expected[i] = ${EXPECTED.any} OR expected[i] = stream_head
          OR (expected[i] = ${EXPECTED['stream-exists']} AND stream_head >= 0) THEN
        accepted := true;
        befores[i] := head;
        bases[i] := stream_head;
        head := head + sizes[i];
        stream_head := stream_head + sizes[i];
        heads[append_streams[i]] := stream_head;
        positions[i] := head;
      END IF;
      versions[i] := stream_head;
    END LOOP;

    IF accepted THEN
      INSERT INTO events (position, stream, version, event_id, type, schema_version, occurred_at, recorded_at,
          principal, command_id, correlation_id, causation_id, traceparent, payload)
        SELECT befores[e.append] + e.ordinal, streams[append_streams[e.append]], bases[e.append] + e.ordinal,
            e.id, e.type, e.schema_version, e.occurred_at,
            greatest(recorded, max(coalesce(e.recorded_at, present) COLLATE "C") OVER (ORDER BY e.append, e.ordinal)),
            e.principal, e.command_id, e.correlation_id, e.causation_id, e.traceparent,
            substring(payloads FROM e.payload_start FOR e.payload_size)
          FROM unnest(event_appends, event_ordinals, event_ids, types, schema_versions, occurred_ats, principals,
              command_ids, correlation_ids, causation_ids, traceparents, recorded_ats, payload_starts, payload_sizes)
            AS e(append, ordinal, id, type, schema_version, occurred_at, principal, command_id, correlation_id,
              causation_id, traceparent, recorded_at, payload_start, payload_size)
          WHERE positions[e.append] IS NOT NULL;
    END IF;
  END
  $body$;
`;

/** Oldest first. What has been released is never changed: a change is a new entry. */
export const EVENT_LOG_MIGRATIONS: readonly Migration[] = [
  { name: 'event-log-1-events', readableFrom: 1, sql: TABLES + APPEND },
];
