import type { CoordClient } from './client.js';
import type { ClientOptions } from './options.js';
export declare function connect(options?: ClientOptions): Promise<CoordClient>;
export declare function createClient(options?: ClientOptions): CoordClient;
