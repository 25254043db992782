/**
 * The two messages of grpc.health.v1, by hand: so small that a generator would be more to read.
 * @see https://github.com/grpc/grpc/blob/master/src/proto/grpc/health/v1/health.proto
 */

/** `HealthCheckResponse.ServingStatus.SERVING`. */
export const SERVING = 1;

/** `HealthCheckRequest`: field 1, the service's name. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const length: number[] = [];
  let rest = name.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.from([0x0a, ...length, rest, ...name]);
}

/** `HealthCheckResponse`: field 1, the status, which is left out when it is 0. */
export function decodeHealthStatus(bytes: Buffer): number {
  return bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0;
}
