/**
 * An X.509 certificate for a key that signs in our name, signed by that key itself.
 *
 * Nobody vouches for it but whoever serves it: it gives the public key the form in which clients of AWS read one.
 * Source: RFC 5280 §4.1.
 */
import { createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import type { EpochMs } from '../event/types.ts';

const SHA256_WITH_RSA = '1.2.840.113549.1.1.11';
const COMMON_NAME = '2.5.4.3';
/** A client whose clock is behind is to take it, too; and clients keep it for long. */
const BEFORE_MS = 24 * 3600 * 1000;
const LIFE_MS = 20 * 365 * 24 * 3600 * 1000;

/** @param serialNumber At least one byte, such as 16 at random. @returns PEM. */
export async function makeSigningCertificate(
  privateKey: KeyObject,
  { name, serialNumber, nowMs }: { readonly name: string; readonly serialNumber: Uint8Array; readonly nowMs: EpochMs },
): Promise<string> {
  // A first use of topics alone needs these two.
  const { AsnConvert } = await import('@peculiar/asn1-schema');
  const x509 = await import('@peculiar/asn1-x509');
  const signatureAlgorithm = new x509.AlgorithmIdentifier({ algorithm: SHA256_WITH_RSA, parameters: null });
  const attribute = new x509.AttributeTypeAndValue({ type: COMMON_NAME, value: new x509.AttributeValue({ utf8String: name }) });
  const subject = new x509.Name([new x509.RelativeDistinguishedName([attribute])]);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  // A positive number, without zeros before it.
  const serial = Uint8Array.from([1, ...serialNumber.subarray(0, 16)]);
  const tbsCertificate = new x509.TBSCertificate({
    version: x509.Version.v3,
    serialNumber: serial.buffer,
    signature: signatureAlgorithm,
    issuer: subject,
    subject,
    validity: new x509.Validity({ notBefore: new Date(nowMs - BEFORE_MS), notAfter: new Date(nowMs + LIFE_MS) }),
    subjectPublicKeyInfo: AsnConvert.parse(publicKey, x509.SubjectPublicKeyInfo),
  });
  const signatureValue = Uint8Array.from(sign('sha256', new Uint8Array(AsnConvert.serialize(tbsCertificate)), privateKey)).buffer;
  const certificate = new x509.Certificate({ tbsCertificate, signatureAlgorithm, signatureValue });
  return new X509Certificate(new Uint8Array(AsnConvert.serialize(certificate))).toString();
}
