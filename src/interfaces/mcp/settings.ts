/** What the MCP server is told by the configuration, whatever the transport. */

/** Groups of tools that the configuration switches on and off together; `always` has no switch. */
export type Toolset = 'execution' | 'logging' | 'monitoring' | 'debugging' | 'batch' | 'always';

export interface ToolSettings {
  /** Toolsets that are switched on. */
  readonly toolsets: Readonly<Record<Exclude<Toolset, 'always'>, boolean>>;
  /** Only tools that change nothing; wins over everything else. */
  readonly readOnly: boolean;
  /** Whether clients are told how far a call is. */
  readonly progress: boolean;
  /** Whether arguments may name files of this machine. */
  readonly filesystem: boolean;
  /** Most log entries in one answer. */
  readonly maxLogEntries: number;
  /** Largest answer, in bytes. */
  readonly maxOutputBytes: number;
  /** How long answers about logs of executions that have ended are kept, in milliseconds. */
  readonly logCacheTtlMs: number;
  /** How long clients may keep lists of tools, in milliseconds. */
  readonly listTtlMs: number;
}
