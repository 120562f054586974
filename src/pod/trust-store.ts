import { X509Certificate } from 'node:crypto';

// DER (ITU-T X.690): a tag, a length, the content.
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const hex = content.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}
const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const set = (...parts: Buffer[]) => der(0x31, ...parts);
const octets = (part: Buffer) => der(0x04, part);
const explicit = (part: Buffer) => der(0xa0, part);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((value) => {
    const groups = [value & 0x7f];
    for (let left = value >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from(bytes));
}

const data = oid('1.2.840.113549.1.7.1');
const certificateBag = oid('1.2.840.113549.1.12.10.1.3');
const x509Certificate = oid('1.2.840.113549.1.9.22.1');
const friendlyName = oid('1.2.840.113549.1.9.20');
/** Oracle's: by it Java takes a certificate for one that is trusted (JDK-8005408). */
const trustedKeyUsage = oid('2.16.840.1.113894.746875.1.1');
const anyExtendedKeyUsage = oid('2.5.29.37.0');

/**
 * A trust store that Java 8 and later read without a password: PKCS #12 (RFC 7292), neither encrypted nor
 * with a MAC, for it holds nothing secret.
 */
export function trustStore(certificates: string[]): Buffer {
  const bags = certificates.map((pem, index) =>
    sequence(
      certificateBag,
      explicit(sequence(x509Certificate, explicit(octets(new X509Certificate(pem).raw)))),
      set(
        sequence(friendlyName, set(der(0x1e, Buffer.from(`weir-${index}`, 'utf16le').swap16()))),
        sequence(trustedKeyUsage, set(anyExtendedKeyUsage)),
      ),
    ),
  );
  const contents = sequence(data, explicit(octets(sequence(...bags))));
  const version = der(0x02, Buffer.from([3]));
  return sequence(version, sequence(data, explicit(octets(sequence(contents)))));
}
