/** Fixtures that answer at once, or tell something on the way. */
import { setTimeout as pause } from 'node:timers/promises';
import { MissingRequiredClientCapabilityError } from '@modelcontextprotocol/server';
import { RatchetError } from '../../../src/domain/errors.ts';
import { record } from '../../../src/interfaces/rest-request.ts';
import { PNG, said, text, WAV } from './contents.ts';
import { fixture } from './fixture-tool.ts';

/** The suite looks whether what is told on the way comes one by one. */
const STEP_MS = 50;
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

export const JSON_SCHEMA_TOOL = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

const image = { type: 'image', data: PNG, mimeType: 'image/png' } as const;

export const TELLING_TOOLS = [
  fixture('test_simple_text', () => said('This is a simple text response for testing.')),
  fixture('test_image_content', () => ({ content: [image] })),
  fixture('test_audio_content', () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] })),
  fixture('test_embedded_resource', () => {
    const resource = {
      uri: 'test://embedded-resource',
      mimeType: 'text/plain',
      text: 'This is an embedded resource content.',
    };
    return { content: [{ type: 'resource', resource }] };
  }),
  fixture('test_multiple_content_types', () => {
    const resource = {
      uri: 'test://mixed-content-resource',
      mimeType: 'application/json',
      text: '{"test":"data","value":123}',
    };
    return { content: [text('Multiple content types test:'), image, { type: 'resource', resource }] };
  }),
  fixture('test_error_handling', () => {
    throw new RatchetError('invalid_request', 'This tool intentionally returns an error for testing');
  }),
  fixture('test_tool_with_logging', async ({ mcpReq }) => {
    await mcpReq.log('info', 'Tool execution started');
    await pause(STEP_MS);
    await mcpReq.log('info', 'Tool processing data');
    await pause(STEP_MS);
    await mcpReq.log('info', 'Tool execution completed');
    return said('logged');
  }),
  fixture('test_tool_with_progress', async (_context, _args, call) => {
    await call.progress(0, 100, null);
    await pause(STEP_MS);
    await call.progress(50, 100, null);
    await pause(STEP_MS);
    await call.progress(100, 100, null);
    return said('told');
  }),
  fixture('test_reconnection', async ({ http }) => {
    http?.closeSSE?.();
    await pause(2 * STEP_MS);
    return said('The stream was closed, and you came back.');
  }),
  fixture('test_logging_tool', async ({ mcpReq }) => {
    await mcpReq.log('info', 'said only where it was asked for');
    return said('done');
  }),
  fixture('test_streaming_elicitation', async (_context, _args, call) => {
    await call.progress(1, 1, null);
    return said('streamed');
  }),
  fixture('test_missing_capability', ({ mcpReq }) => {
    if (record(record(mcpReq.envelope)[CAPABILITIES])['sampling'] !== undefined) return said('sampling is there');
    throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
  }),
  fixture('json_schema_2020_12_tool', () => said('ok'), JSON_SCHEMA_TOOL),
];
