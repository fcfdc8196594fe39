/**
 * The Debian packages that system tests use: independent clients of our doors. The test runner installs what is
 * missing when it may (root and apt); elsewhere each test that misses its tool is skipped by name.
 */
export interface DebianPackage {
  readonly name: string;
  /** A program it brings: present means nothing to install. */
  readonly program: string;
}

export const SYSTEM_PACKAGES: readonly DebianPackage[] = [
  { name: "fio", program: "fio" },
  { name: "qemu-utils", program: "qemu-io" },
  { name: "libnbd-bin", program: "nbdinfo" },
  { name: "nbdfuse", program: "nbdfuse" },
  { name: "python3-libnbd", program: "nbdsh" },
  { name: "nbdkit", program: "nbdkit" },
  { name: "nbd-client", program: "nbd-client" },
  { name: "e2fsprogs", program: "mkfs.ext4" },
  { name: "tmux", program: "tmux" },
  { name: "fence-agents", program: "fence_ipmilan" },
  { name: "ipmitool", program: "ipmitool" },
  { name: "openipmi", program: "ipmi_sim" },
  { name: "resource-agents", program: "ocf-tester" },
  { name: "iproute2", program: "ip" },
  { name: "kmod", program: "modprobe" },
  { name: "iputils-arping", program: "arping" },
  { name: "redis-server", program: "redis-server" },
  { name: "etcd-server", program: "etcd" },
  { name: "chromium", program: "chromium" },
];
