/** An authority, and certificates that it signs, made by openssl in a folder of the test. */
import path from 'node:path';
import { must } from './lab.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly ca: string;
  readonly #dir: string;
  readonly #name: string;

  private constructor(dir: string, name: string) {
    this.#dir = dir;
    this.#name = name;
    this.ca = path.join(dir, `${name}.pem`);
  }

  static async open(dir: string, name: string): Promise<Authority> {
    const authority = new Authority(dir, name);
    await must('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', authority.#keyFile, '-out', authority.ca],
    ]);
    return authority;
  }

  /** `addresses`: whose it may be. */
  async sign(name: string, addresses: readonly string[]): Promise<Certificate> {
    const [cert, key] = [path.join(this.#dir, `${name}.pem`), path.join(this.#dir, `${name}.key`)];
    const names = ['DNS:localhost', ...addresses.map((address) => `IP:${address}`)].join();
    await must('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...[
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=${names}`,
        '-addext',
        'basicConstraints=critical,CA:FALSE',
      ],
      ...['-CA', this.ca, '-CAkey', this.#keyFile, '-keyout', key, '-out', cert],
    ]);
    return { cert, key };
  }

  get #keyFile(): string {
    return path.join(this.#dir, `${this.#name}.key`);
  }
}
