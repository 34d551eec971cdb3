/** What a search for a container may use; handed in, so that tests and the daemon choose. */
export interface Lookups {
  /** DOCKER_HOST, CONTAINER_HOST, CONTAINERD_NAMESPACE, and what `podman` itself reads. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Bound of each question to a runtime, in milliseconds. */
  readonly timeoutMs: number;
  /** State directories of containerd, with one folder of tasks each. */
  readonly containerdStates: readonly string[];
}

export const DEFAULT_LOOKUPS: Omit<Lookups, 'env'> = {
  timeoutMs: 10_000,
  // containerd's own, and that of the one inside k3s and RKE2.
  containerdStates: ['/run/containerd', '/run/k3s/containerd'],
};
