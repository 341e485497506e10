/**
 * Refusals of the Organizations API, with the codes and reasons that its clients know. All of them are answered with 400.
 *
 * Source: AWS Organizations API Reference, "Errors" of each action.
 */
import { ApiError } from '../api/api-error.ts';

export function refusal(code: string, message: string): ApiError {
  return new ApiError(code, message, { status: 400 });
}

/** @param reason Of the service's list, such as `INVALID_PATTERN`. */
export function invalidInput(reason: string, message: string): ApiError {
  return new ApiError('InvalidInputException', message, { status: 400, details: { Reason: reason } });
}

/** @param reason Of the service's list, such as `OU_NUMBER_LIMIT_EXCEEDED`. */
export function constraint(reason: string, message: string): ApiError {
  return new ApiError('ConstraintViolationException', message, { status: 400, details: { Reason: reason } });
}

/** The same for invitations. */
export function handshakeConstraint(reason: string, message: string): ApiError {
  return new ApiError('HandshakeConstraintViolationException', message, { status: 400, details: { Reason: reason } });
}

export function notInUse(): ApiError {
  return refusal('AWSOrganizationsNotInUseException', 'Your account is not a member of an organization.');
}

/** The same for every caller without the right, and whatever is asked for. */
export function accessDenied(): ApiError {
  return refusal('AccessDeniedException', "You don't have permissions to access this resource.");
}
