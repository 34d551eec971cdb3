/**
 * What other firewalls leave on a host, as commands for a shell: taken from the real ones in Debian 12, without what forwarded
 * packets do not meet.
 */

/** dockerd 20.10: `iptables-save -t filter`. */
export const DOCKER = `iptables-restore --noflush <<'END'
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
END`;

function ufwRules(prefix: string): string {
  const icmp = prefix === 'ufw' ? '-p icmp -m icmp --icmp-type 8' : '-p ipv6-icmp -m icmp6 --icmpv6-type 128';
  return `*filter
:FORWARD DROP [0:0]
:${prefix}-before-logging-forward - [0:0]
:${prefix}-before-forward - [0:0]
:${prefix}-after-forward - [0:0]
:${prefix}-after-logging-forward - [0:0]
:${prefix}-reject-forward - [0:0]
:${prefix}-track-forward - [0:0]
:${prefix}-user-forward - [0:0]
-A FORWARD -j ${prefix}-before-logging-forward
-A FORWARD -j ${prefix}-before-forward
-A FORWARD -j ${prefix}-after-forward
-A FORWARD -j ${prefix}-after-logging-forward
-A FORWARD -j ${prefix}-reject-forward
-A FORWARD -j ${prefix}-track-forward
-A ${prefix}-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ${prefix}-before-forward ${icmp} -j ACCEPT
-A ${prefix}-before-forward -j ${prefix}-user-forward
-A ${prefix}-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
COMMIT`;
}

/** ufw 0.36 enabled. */
export const UFW = `iptables-restore --noflush <<'END'
${ufwRules('ufw')}
END
ip6tables-restore --noflush <<'END'
${ufwRules('ufw6')}
END`;

/** Stands for ufw: the rules that it adds for \`ufw route allow in on LINK\`, \`… out on LINK\`. */
export const UFW_PROGRAM = `#!/bin/sh
[ "$1 $2 $4" = "route allow on" ] || exit 1
case "$3" in in) side=-i ;; out) side=-o ;; esac
iptables -A ufw-user-forward $side "$5" -j ACCEPT && ip6tables -A ufw6-user-forward $side "$5" -j ACCEPT
`;

/** firewalld 1.3: its table, with the zone public for every link. */
export const FIREWALLD = `nft -f - <<'END'
table inet firewalld {
  chain filter_FWD_public_allow {
  }
  chain filter_FWD_public {
    jump filter_FWD_public_allow
    reject with icmpx admin-prohibited
  }
  chain filter_FWD_trusted {
    accept
  }
  chain filter_FORWARD_ZONES {
    goto filter_FWD_public
  }
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    ip6 daddr { ::/96, 2002:a00::/24 } reject with icmpv6 addr-unreachable
    jump filter_FORWARD_ZONES
    reject with icmpx admin-prohibited
  }
}
END`;

/** Stands for firewall-cmd: what it does for \`--zone=trusted --change-interface=LINK\` without \`--permanent\`. */
export const FIREWALL_CMD_PROGRAM = `#!/bin/sh
[ "$1" = --permanent ] && exit 0
[ "$1" = --zone=trusted ] || exit 1
nft insert rule inet firewalld filter_FORWARD_ZONES iifname "\${2#--change-interface=}" goto filter_FWD_trusted
`;

/** A firewall that somebody wrote by hand. */
export const HAND_WRITTEN = `nft -f - <<'END'
table inet guard {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    tcp dport 22 accept
  }
}
END`;

/** The same in another style. */
export const HAND_WRITTEN_REJECT = `nft -f - <<'END'
table ip wall {
  chain rest {
    log prefix "wall: "
    reject
  }
  chain fw-forward {
    type filter hook forward priority 10; policy accept;
    ct state vmap { established : accept, related : accept, invalid : drop }
    jump rest
  }
}
END`;
