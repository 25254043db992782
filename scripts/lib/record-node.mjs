// A set-up file of vitest: each worker says which Node it runs on, if somebody asks.
import { appendFileSync } from 'node:fs';

if (process.env.COORD_RECORD_NODE) appendFileSync(process.env.COORD_RECORD_NODE, `${process.version}\n`);
