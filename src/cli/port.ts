/** `tsnet port`: where published ports are reached; of one container as `docker port`, of all as a table. */
import type { PortView } from '../engine/engine.ts';
import { TsnetError } from '../model/error.ts';
import { formatContainerSide, formatHostSide, formatPublishedPort, parseContainerPort } from '../model/port-mapping.ts';
import type { CliContext } from './context.ts';
import { renderList, type ListLayout } from './format.ts';
import { naturalOrder } from './natural-order.ts';
import type { DefineVerb } from './verbs.ts';

interface PortOptions {
  readonly format?: string;
}

export const define: DefineVerb = (command, context) => {
  command
    .argument('[container]', 'name or id of a sandbox')
    .argument('[port]', 'port of the container, PORT[/tcp|udp|sctp]')
    .option('--format <format>', 'table, json, "table TEMPLATE" or a Go template')
    .action((container: string | undefined, port: string | undefined, options: PortOptions) =>
      port === undefined || container === undefined
        ? listPorts(container, options, context)
        : lookUpPort({ container, port }, options, context),
    );
};

async function listPorts(container: string | undefined, { format }: PortOptions, context: CliContext): Promise<void> {
  const engine = await context.engine();
  const ports = await engine.listPorts(container);
  if (container !== undefined && format === undefined) {
    context.write(ports.map((port) => `${formatPublishedPort(port)}\n`).join(''));
    return;
  }
  const ordered = ports.toSorted((a, b) => naturalOrder(a.container, b.container) || a.containerPort - b.containerPort);
  context.write(renderList(LAYOUT, ordered, format ?? 'table'));
}

/** The host's side of one port: "0.0.0.0:8080". */
async function lookUpPort(
  { container, port }: { readonly container: string; readonly port: string },
  { format }: PortOptions,
  context: CliContext,
): Promise<void> {
  const wanted = parseContainerPort(port);
  const engine = await context.engine();
  const found = (await engine.listPorts(container)).flatMap((range): PortView[] => {
    const offset = wanted.port - range.containerPort;
    if (range.protocol !== wanted.protocol || offset < 0 || offset >= range.count) return [];
    return [{ ...range, hostPort: range.hostPort + offset, containerPort: wanted.port, count: 1 }];
  });
  if (found.length === 0) {
    throw new TsnetError(
      'NOT_FOUND',
      `port ${wanted.port}/${wanted.protocol} of ${container}: not published; "tsnet port ${container}" lists what is`,
    );
  }
  context.write(
    format === undefined
      ? found.map((each) => `${formatHostSide(each)}\n`).join('')
      : renderList(LAYOUT, found, format),
  );
}

const LAYOUT: ListLayout<PortView> = {
  typeName: '*formatter.portContext',
  columns: ['Container', 'Network', 'Port', 'Host', 'To'],
  fields: {
    Container: { heading: 'CONTAINER', text: ({ container }) => container },
    Host: { heading: 'HOST', text: formatHostSide },
    Network: { heading: 'NETWORK', text: ({ network }) => network },
    Port: { heading: 'PORT', text: formatContainerSide },
    To: { heading: 'TO', text: ({ to }) => to },
  },
};
