/**
 * S3's refusals: codes, statuses, and the words its clients know.
 *
 * Source: S3 API Reference, "Error responses".
 */
import { ApiError } from '../../api/api-error.ts';

/** Status and usual message of each code. */
const S3_ERRORS: ReadonlyMap<string, readonly [status: number, message: string]> = new Map([
  ['AccessControlListNotSupported', [400, 'The bucket does not allow ACLs']],
  ['AccessDenied', [403, 'Access Denied']],
  ['BadDigest', [400, 'The Content-MD5 or checksum value that you specified did not match what the server received.']],
  [
    'BucketAlreadyExists',
    [
      409,
      'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
    ],
  ],
  ['BucketAlreadyOwnedByYou', [409, 'Your previous request to create the named bucket succeeded and you already own it.']],
  ['BucketNotEmpty', [409, 'The bucket you tried to delete is not empty']],
  ['EntityTooLarge', [400, 'Your proposed upload exceeds the maximum allowed size']],
  ['EntityTooSmall', [400, 'Your proposed upload is smaller than the minimum allowed size']],
  [
    'IllegalLocationConstraintException',
    [400, 'The location constraint is incompatible for the region specific endpoint this request was sent to.'],
  ],
  ['IncompleteBody', [400, 'You did not provide the number of bytes specified by the Content-Length HTTP header']],
  ['InternalError', [500, 'We encountered an internal error. Please try again.']],
  ['InvalidArgument', [400, 'Invalid Argument']],
  ['InvalidBucketAclWithObjectOwnership', [400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"]],
  ['InvalidBucketState', [409, 'The request is not valid with the current state of the bucket.']],
  ['InvalidBucketName', [400, 'The specified bucket is not valid.']],
  ['InvalidDigest', [400, 'The Content-MD5 you specified was invalid.']],
  [
    'InvalidPart',
    [
      400,
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    ],
  ],
  ['InvalidPartOrder', [400, 'The list of parts was not in ascending order. The parts list must be specified in order by part number.']],
  ['InvalidRange', [416, 'The requested range is not satisfiable']],
  ['InvalidRequest', [400, 'Invalid Request']],
  ['InvalidRetentionPeriod', [400, 'The retention period must be a positive whole number.']],
  ['InvalidTag', [400, 'The tag provided was not a valid tag.']],
  ['InvalidURI', [400, "Couldn't parse the specified URI."]],
  ['KeyTooLongError', [400, 'Your key is too long']],
  ['MalformedACLError', [400, 'The XML you provided was not well-formed or did not validate against our published schema']],
  ['MalformedPolicy', [400, 'This policy contains invalid Json']],
  ['MalformedXML', [400, 'The XML you provided was not well-formed or did not validate against our published schema']],
  ['MetadataTooLarge', [400, 'Your metadata headers exceed the maximum allowed metadata size']],
  ['MethodNotAllowed', [405, 'The specified method is not allowed against this resource.']],
  ['MissingContentLength', [411, 'You must provide the Content-Length HTTP header.']],
  ['MissingRequestBodyError', [400, 'Request body is empty.']],
  ['NoSuchBucket', [404, 'The specified bucket does not exist']],
  ['NoSuchBucketPolicy', [404, 'The bucket policy does not exist']],
  ['NoSuchCORSConfiguration', [404, 'The CORS configuration does not exist']],
  ['NoSuchKey', [404, 'The specified key does not exist.']],
  ['NoSuchLifecycleConfiguration', [404, 'The lifecycle configuration does not exist']],
  ['NoSuchPublicAccessBlockConfiguration', [404, 'The public access block configuration was not found']],
  ['NoSuchObjectLockConfiguration', [404, 'The specified object does not have a ObjectLock configuration']],
  ['NoSuchTagSet', [404, 'The TagSet does not exist']],
  [
    'NoSuchUpload',
    [404, 'The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.'],
  ],
  ['NoSuchVersion', [404, 'The specified version does not exist.']],
  ['NoSuchWebsiteConfiguration', [404, 'The specified bucket does not have a website configuration']],
  ['NotImplemented', [501, 'A header you provided implies functionality that is not implemented']],
  ['ObjectLockConfigurationNotFoundError', [404, 'Object Lock configuration does not exist for this bucket']],
  ['OwnershipControlsNotFoundError', [404, 'The bucket ownership controls were not found']],
  ['PreconditionFailed', [412, 'At least one of the pre-conditions you specified did not hold']],
  ['ReplicationConfigurationNotFoundError', [404, 'The replication configuration was not found']],
  ['RequestEntityTooLargeException', [413, 'The request body is too large.']],
  ['ServerSideEncryptionConfigurationNotFoundError', [404, 'The server side encryption configuration was not found']],
  ['ServiceUnavailable', [503, 'Service is unable to handle request.']],
  ['SlowDown', [503, 'Please reduce your request rate.']],
  ['TooManyBuckets', [400, 'You have attempted to create more buckets than allowed']],
  ['TooManyParts', [400, 'You have attempted to upload more parts than allowed']],
  ['UnsupportedMediaTypeException', [415, 'The content encoding is not supported.']],
]);

/** @param details Further members of the error document. */
export function s3Error(
  code: string,
  options: { readonly message?: string; readonly details?: Record<string, string>; readonly cause?: unknown } = {},
): ApiError {
  const [status, message] = S3_ERRORS.get(code) ?? [400, code];
  return new ApiError(code, options.message ?? message, {
    status,
    ...(options.details === undefined ? {} : { details: options.details }),
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
}

/** The status of a code that came without one, such as a refusal of the store. */
export function s3ErrorStatus(code: string): number {
  return S3_ERRORS.get(code)?.[0] ?? 400;
}
