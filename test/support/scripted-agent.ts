/** An agent without a model: it knows the listed tools and what they answered, and refuses to use anything else. */
import type { CallToolResult, Client } from '@modelcontextprotocol/client';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { eventually } from './server.ts';

/** What stands in JSON: anything. */
export type Told = ReturnType<typeof JSON.parse>;

/** A call that an answer offers. */
export interface OfferedCall {
  readonly tool: string;
  readonly arguments: object;
}

export class ScriptedAgent {
  readonly #client: Client;
  readonly #forms: ReadonlyMap<string, ValidateFunction>;
  #tokens = 0;

  private constructor(client: Client, forms: ReadonlyMap<string, ValidateFunction>) {
    this.#client = client;
    this.#forms = forms;
  }

  static async meet(client: Client): Promise<ScriptedAgent> {
    const { tools } = await client.listTools();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    return new ScriptedAgent(client, new Map(tools.map((tool) => [tool.name, ajv.compile(tool.inputSchema)])));
  }

  /** Tokens of all answers so far, as a model would have read them. */
  get tokens(): number {
    return this.#tokens;
  }

  /** @returns what the tool answers, which must be no error. */
  async use(tool: string, args: object = {}): Promise<Told> {
    const { isError, told } = await this.#call(tool, args);
    if (isError) throw new Error(`${tool} ${JSON.stringify(args)} was refused: ${JSON.stringify(told)}`);
    return told;
  }

  /** @returns the error that the tool answers. */
  async refusal(tool: string, args: object): Promise<Told> {
    const { isError, told } = await this.#call(tool, args);
    if (!isError) throw new Error(`${tool} ${JSON.stringify(args)} was not refused: ${JSON.stringify(told)}`);
    return told.error;
  }

  /** Makes a call that an answer offered, as it stands. */
  follow({ tool, arguments: args }: OfferedCall): Promise<Told> {
    return this.use(tool, args);
  }

  /** Makes a call again and again until its answer is what is waited for; only the last answer counts as read. */
  async until(call: OfferedCall, isReached: (told: Told) => boolean): Promise<Told> {
    return eventually(`${call.tool} answers what is waited for`, async () => {
      const before = this.#tokens;
      const told = await this.follow(call);
      if (isReached(told)) return told;
      this.#tokens = before;
      return undefined;
    });
  }

  /** @returns the JSON of a resource whose kind the server has listed. */
  async read(scheme: string, fill: Readonly<Record<string, string | number>>): Promise<Told> {
    const { resourceTemplates } = await this.#client.listResourceTemplates();
    const template = resourceTemplates.find(({ uriTemplate }) => uriTemplate.startsWith(`${scheme}://`));
    if (template === undefined) throw new Error(`no resource ${scheme} is listed`);
    const uri = template.uriTemplate.replace(/\{(\w+)\}/g, (_, name: string) => String(fill[name]));
    const { contents } = await this.#client.readResource({ uri });
    const [first] = contents;
    const text = first !== undefined && 'text' in first ? first.text : '';
    this.#tokens += countTokens(text);
    return JSON.parse(text);
  }

  async #call(tool: string, args: object): Promise<{ isError: boolean; told: Told }> {
    const fits = this.#forms.get(tool);
    if (fits === undefined) throw new Error(`no tool ${tool} is listed`);
    if (!fits(args)) throw new Error(`${tool} does not take ${JSON.stringify(args)}: ${JSON.stringify(fits.errors)}`);
    const { isError, content }: CallToolResult = await this.#client.callTool({ name: tool, arguments: { ...args } });
    const [block] = content;
    const text = block?.type === 'text' ? block.text : '';
    this.#tokens += countTokens(text);
    return { isError: isError === true, told: JSON.parse(text) };
  }
}
