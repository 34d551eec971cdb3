/**
 * The programs in dist/: for each its source, what of it every start reads, and what the build has it do to learn.
 *
 * `file`: its name in dist/. `first`: files that the first part of the program has although they are reached by `import()`
 * (`parts.js`). `lessons`: a shell script that uses the program as it is used most, and `fallback`: arguments of a start that
 * needs no privileges (`code-cache.js`). Without lessons a program has no code cache.
 */

/**
 * What is learnt: to list networks, and to connect a container and to disconnect it, the first time and again, with a published
 * port and without. What nobody does often (`create`) is left to be compiled.
 */
const TSNET_LESSONS = `
unshare --net sleep 30 &
program create --subnet 10.99.0.0/24 lesson
for port in 65001:80 65002:80; do
  learn connect lesson pid:$!
  learn disconnect lesson pid:$!
  learn connect --publish $port lesson pid:$!
  learn disconnect lesson pid:$!
done
kill $!
learn ls
`;

/** A container of podman's comes and goes, the first time and again, with a published port, here and through a daemon. */
const NETAVARK_LESSONS = `
request() {
  printf '{"container_id":"%s","container_name":"lesson","networks":{"lesson":{"interface_name":"eth0","static_ips":["10.99.0.2"],"aliases":["a"]}},' "$1"
  printf '"port_mappings":[{"host_ip":"","host_port":65001,"container_port":80,"protocol":"tcp","range":1}],'
  printf '"network_info":{"lesson":{"name":"lesson","id":"%064d","driver":"bridge","network_interface":"lesson0",' 1
  printf '"subnets":[{"subnet":"10.99.0.0/24","gateway":"10.99.0.1"}],"ipv6_enabled":false,"internal":false,"dns_enabled":true}}}'
}
unshare --net sleep 30 &
holder=$!
twice() {
  for id in c1 c2; do
    for verb in setup teardown; do
      request $id | learn --config "$TSNET_EXEC_ROOT/podman" "$@" $verb /proc/$holder/ns/net
    done
  done
}
twice
"$NODE" "$DIST/tsnet.js" daemon & daemon=$!
for _ in $(seq 100); do [ -S "$TSNET_EXEC_ROOT/tsnet.sock" ] && break; sleep 0.1; done
# Where a daemon serves names, aardvark-dns is told by files and not started.
twice --aardvark-binary /bin/true
kill $daemon $holder
wait $daemon
exit 0
`;

/** What is learnt: to add a container and to delete it, with a published port and without, here and through a daemon. */
const CNI_LESSONS = `
unshare --net sleep 30 &
holder=$!
export CNI_CONTAINERID=lesson CNI_NETNS=/proc/$holder/ns/net CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni
call() { printf '{"cniVersion":"1.0.0","name":"lesson","type":"tsnet","subnet":"10.99.0.0/24"%s}' "$2" | CNI_COMMAND=$1 learn; }
twice() {
  for port in 65001 65002; do
    call ADD && call DEL
    ports=',"runtimeConfig":{"portMappings":[{"hostPort":'$port',"containerPort":80,"protocol":"tcp"}]}'
    call ADD "$ports" && call DEL "$ports"
  done
}
# The network is there already when containers come.
printf '{"cniVersion":"1.0.0","name":"lesson","type":"tsnet","subnet":"10.99.0.0/24"}' >"$TSNET_EXEC_ROOT.json"
for command in ADD DEL; do CNI_COMMAND=$command program <"$TSNET_EXEC_ROOT.json"; done
twice
"$NODE" "$DIST/tsnet.js" daemon & daemon=$!
for _ in $(seq 100); do [ -S "$TSNET_EXEC_ROOT/tsnet.sock" ] && break; sleep 0.1; done
twice
kill $daemon $holder
wait $daemon
exit 0
`;

export const ENTRIES = [
  {
    name: 'tsnet',
    file: 'tsnet.js',
    source: 'src/cli/main.ts',
    // What looks at the ledger and no further.
    first: [
      'src/cli/inspect.ts',
      'src/cli/ls.ts',
      'src/cli/port.ts',
      'src/client/remote-engine.ts',
      'src/config/load.ts',
      'src/wiring/own-engine.ts',
    ],
    lessons: TSNET_LESSONS,
    fallback: ['ls'],
  },
  {
    name: 'netavark',
    // Podman looks for a program of exactly this name.
    file: 'netavark',
    source: 'src/runtimes/netavark/main.ts',
    // A call that a daemon carries out reads the entry itself, and what aardvark-dns is told with.
    first: ['src/kernel/file-lock.ts', 'src/runtimes/netavark/tell-aardvark.ts'],
    lessons: NETAVARK_LESSONS,
    fallback: ['version'],
  },
  {
    name: 'tsnet-cni',
    file: 'tsnet-cni.js',
    source: 'src/runtimes/cni/main.ts',
    // A call that a daemon carries out reads the entry itself and no more.
    first: [],
    lessons: CNI_LESSONS,
    fallback: [],
  },
];

/** Measures; built with `--bench` only. */
export const BENCH = { name: 'bench', file: 'bench.js', source: 'bench/main.ts', first: [] };

export const SIM = { name: 'sim', file: 'sim.js', source: 'bench/cluster/main.ts', first: [] };
