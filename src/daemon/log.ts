/** What the daemon writes to its log: JSON lines by npm `pino`, or plain lines for a person. */
import pino from 'pino';

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogFormat = 'json' | 'text';

/** `write` is handed whole lines. */
export function openLog(format: LogFormat, write: (text: string) => void): Log {
  if (format === 'text') return textLog(write);
  return pino(
    {
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
}

/** "2026-01-02T03:04:05.678Z info listening socket=/run/tsnet/tsnet.sock" */
function textLog(write: (text: string) => void): Log {
  const line =
    (level: string) =>
    (fields: object, message: string): void => {
      const told = Object.entries(fields).map(([name, value]) => ` ${name}=${shown(value)}`);
      write(`${new Date().toISOString()} ${level} ${message}${told.join('')}\n`);
    };
  return { info: line('info'), warn: line('warn'), error: line('error') };
}

function shown(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
}
