/** Shapes the facts about API keys into a list of them, without what they are compared by. */
import { KEY_EVENT_TYPES } from '../src/domain/access-key.ts';
import { idOf } from '../src/domain/event.ts';
import { type Projection, update, upsert } from './projection.ts';

export const accessKeys: Projection = {
  name: 'access_keys',
  version: 1,
  tables: ['access_keys'],
  types: KEY_EVENT_TYPES,
  apply: (event, { stream, position, occurredAt, principal }) => {
    const key = { key_id: idOf(stream) };
    switch (event.type) {
      case 'KeyCreated': {
        const { name, description, prefix, permissions, tasks, limits, allowedIps, expiresAt } = event.data;
        return [
          upsert('access_keys', {
            ...key,
            name,
            description,
            prefix,
            status: 'active',
            permissions: JSON.stringify(permissions),
            tasks: JSON.stringify(tasks),
            limits: JSON.stringify(limits),
            allowed_ips: JSON.stringify(allowedIps),
            expires_at: expiresAt,
            created_at: occurredAt,
            created_by: principal,
            rotated_at: null,
            previous_until: null,
            revoked_at: null,
            position,
          }),
        ];
      }
      case 'KeyRotated': {
        const { prefix, previousUntil } = event.data;
        return [
          update('access_keys', key, { prefix, rotated_at: occurredAt, previous_until: previousUntil, position }),
        ];
      }
      case 'KeyRevoked':
        return [
          update('access_keys', key, { status: 'revoked', revoked_at: occurredAt, previous_until: null, position }),
        ];
      default:
        return [];
    }
  },
};
