/** Resources, prompts and completions of the conformance suite, put over the product's own on each server. */
import { inputRequired, ResourceNotFoundError, type Server } from '@modelcontextprotocol/server';
import { record } from '../../../src/interfaces/rest-request.ts';
import { ask, PNG, text } from './contents.ts';

const TEXT = 'test://static-text';
const BINARY = 'test://static-binary';
const WATCHED = 'test://watched-resource';
const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

const resource = (uri: string, mimeType: string) => ({ uri, name: uri, description: `Fixture ${uri}.`, mimeType });

export function addOffers(server: Server): void {
  server.registerCapabilities({ tools: { listChanged: true }, prompts: { listChanged: true }, logging: {} });
  addResources(server);
  addPrompts(server);
  server.setRequestHandler('completion/complete', ({ params }) => {
    const values = ['paris', 'park', 'party'].filter((value) => value.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
}

function addResources(server: Server): void {
  server.setRequestHandler('resources/list', () => ({
    resources: [resource(TEXT, 'text/plain'), resource(BINARY, 'image/png'), resource(WATCHED, 'text/plain')],
  }));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [
      {
        uriTemplate: 'test://template/{id}/data',
        name: 'template',
        description: 'By id.',
        mimeType: 'application/json',
      },
    ],
  }));
  server.setRequestHandler('resources/subscribe', () => ({}));
  server.setRequestHandler('resources/unsubscribe', () => ({}));
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    if (uri === TEXT) {
      return { contents: [{ uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }] };
    }
    if (uri === WATCHED) return { contents: [{ uri, mimeType: 'text/plain', text: 'watched' }] };
    if (uri === BINARY) return { contents: [{ uri, mimeType: 'image/png', blob: PNG }] };
    const id = TEMPLATE.exec(uri)?.[1];
    if (id === undefined) throw new ResourceNotFoundError(uri);
    const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    return { contents: [{ uri, mimeType: 'application/json', text: data }] };
  });
}

const argument = (name: string) => ({ name, description: `The ${name}.`, required: true });

const PROMPTS = [
  { name: 'test_simple_prompt', description: 'Says one thing.' },
  {
    name: 'test_prompt_with_arguments',
    description: 'Says two things.',
    arguments: [argument('arg1'), argument('arg2')],
  },
  { name: 'test_prompt_with_embedded_resource', description: 'Holds one.', arguments: [argument('resourceUri')] },
  { name: 'test_prompt_with_image', description: 'Holds one.' },
  { name: 'test_input_required_result_prompt', description: 'Asks first.' },
];

function addPrompts(server: Server): void {
  server.setRequestHandler('prompts/list', () => ({ prompts: PROMPTS }));
  server.setRequestHandler('prompts/get', ({ params: { name, arguments: args = {} } }, { mcpReq }) => {
    const { arg1, arg2, resourceUri = '' } = args;
    switch (name) {
      case 'test_simple_prompt':
        return { messages: [{ role: 'user', content: text('This is a simple prompt for testing.') }] };
      case 'test_prompt_with_arguments':
        return { messages: [{ role: 'user', content: text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`) }] };
      case 'test_prompt_with_embedded_resource': {
        const held = { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' };
        return {
          messages: [
            { role: 'user', content: { type: 'resource', resource: held } },
            { role: 'user', content: text('Please process the embedded resource above.') },
          ],
        };
      }
      case 'test_prompt_with_image':
        return {
          messages: [
            { role: 'user', content: { type: 'image', data: PNG, mimeType: 'image/png' } },
            { role: 'user', content: text('Please analyze the image above.') },
          ],
        };
      default: {
        const given = record(record(record(mcpReq.inputResponses)['user_context'])['content'])['context'];
        if (typeof given === 'string')
          return { messages: [{ role: 'user', content: text(`In the context of ${given}.`) }] };
        const user_context = ask('What context should the prompt use?', { context: { type: 'string' } }, ['context']);
        return inputRequired({ inputRequests: { user_context } });
      }
    }
  });
}
