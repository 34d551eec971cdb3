/** `GET /version` and `GET /info`: what Docker's clients ask before they ask for networks. */
import os from 'node:os';
import type { Info } from '../../../engine/host-info.ts';
import { API_VERSION, isAtLeast, MIN_API_VERSION } from './api-version.ts';

/** Node's names of architectures in Go's words. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export function versionAnswer(version: string): Readonly<Record<string, unknown>> {
  const common = {
    Version: version,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: GO_ARCH[process.arch] ?? process.arch,
    KernelVersion: os.release(),
    BuildTime: '',
  };
  const { ApiVersion, MinAPIVersion, Os, Arch, KernelVersion } = common;
  const details = {
    ApiVersion,
    MinAPIVersion,
    Os,
    Arch,
    KernelVersion,
    Experimental: 'false',
    NodeVersion: process.version,
  };
  return {
    Platform: { Name: 'tsnet' },
    Components: [{ Name: 'Engine', Version: version, Details: details }],
    ...common,
  };
}

/** The part of Docker's `/info` that is about networks, and what `docker info` would otherwise stumble over. */
export function infoAnswer(info: Info, running: number, version: string): Readonly<Record<string, unknown>> {
  return {
    ID: '',
    Containers: info.sandboxes,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: info.sandboxes - running,
    Images: 0,
    Driver: '',
    DriverStatus: [],
    Plugins: {
      Volume: [],
      Network: info.drivers.filter(({ problem }) => problem === undefined).map(({ name }) => name),
      Authorization: null,
      Log: [],
    },
    // Clients before 1.42 make warnings of what is false, and none of this is about networks.
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: true,
    IPv4Forwarding: true,
    BridgeNfIptables: true,
    BridgeNfIp6tables: true,
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: '',
    CgroupDriver: 'none',
    NEventsListener: 0,
    KernelVersion: os.release(),
    OperatingSystem: 'Linux',
    OSVersion: '',
    OSType: 'linux',
    Architecture: os.machine(),
    NCPU: os.availableParallelism(),
    MemTotal: os.totalmem(),
    IndexServerAddress: '',
    RegistryConfig: null,
    DockerRootDir: info.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: os.hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: info.version,
    DefaultRuntime: '',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    SecurityOptions: [],
    ...(isAtLeast(version, '1.49') ? { FirewallBackend: { Driver: info.firewallBackend, Info: [] } } : {}),
    DefaultAddressPools: info.addressPools.map(({ base, size }) => ({ Base: base, Size: size })),
    Warnings: info.warnings,
  };
}
