/** SHA-256 of an official archive, by version and then by `<os>-<arch>` as etcd's release files name them. */
export type ReleaseHashes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * The official archives that `ensureEtcd()` may download. Every hash was read in public sources that pin it:
 *
 * - linux: github.com/kubernetes-sigs/kubespray, `roles/kubespray_defaults/vars/main/checksums.yml` at commit
 *   46dbdd3994b32640bcd806b0097f50e8fdf1d514; 3.4.13: the same repository, `roles/download/defaults/main.yml` at commit
 *   2fa7faa75a3167be05c5aac0bcc59844dbb00ed5. Those of 3.5.33 (amd64), 3.5.21 and 3.4.13 (both) were found with the same value
 *   in further, independent projects.
 * - darwin: github.com/f110/mono, `build/private/etcd/assets.bzl`. One source only; its hash for linux-amd64 of the same
 *   version is kubespray's.
 *
 * No hash could be obtained for darwin in any other version (3.4 and 3.6 included), nor for Windows: nothing is written down for
 * these, and they are not downloaded.
 */
export const RELEASE_HASHES: ReleaseHashes = {
  '3.6.14': {
    'linux-amd64': 'ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5',
    'linux-arm64': 'fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e',
  },
  '3.5.33': {
    'linux-amd64': '5025b5b24d81a9616b6e284ccd439b9a3df055ef8fdcdc142af3ec8f6a3b3c95',
    'linux-arm64': '0764c5c0acef155f4bfa0487791cc5776adef66315bf16ec0653883bfd463a90',
  },
  '3.5.21': {
    'linux-amd64': 'adddda4b06718e68671ffabff2f8cee48488ba61ad82900e639d108f2148501c',
    'linux-arm64': '95bf6918623a097c0385b96f139d90248614485e781ec9bee4768dbb6c79c53f',
  },
  '3.5.16': {
    'linux-amd64': 'b414b27a5ad05f7cb01395c447c85d3227e3fb1c176e51757a283b817f645ccc',
    'linux-arm64': '8e68c55e6d72b791a9e98591c755af36f6f55aa9eca63767822cd8a3817fdb23',
  },
  '3.5.6': {
    'linux-amd64': '4db32e3bc06dd0999e2171f76a87c1cffed8369475ec7aa7abee9023635670fb',
    'linux-arm64': '888e25c9c94702ac1254c7655709b44bb3711ebaabd3cb05439f3dd1f2b51a87',
    'darwin-amd64': 'eb0bca1ef939c4abd1d73dc61ef7e019cdc5e97a38e2e99ad2aac34aeb8266ee',
    'darwin-arm64': '5a70e3b323caa05e4c87f2669686d34c10c557ea59233e611acd6ee330877e79',
  },
  '3.4.13': {
    'linux-amd64': '2ac029e47bab752dacdb7b30032f230f49e2f457cbc32e8f555c2210bb5ff107',
    'linux-arm64': '1934ebb9f9f6501f706111b78e5e321a7ff8d7792d3d96a76e2d01874e42a300',
  },
};
