/**
 * Identities in the shapes of IAM's answers.
 *
 * Policies in answers are percent-encoded, as the service has them; clients undo it.
 */
import {
  entityArn,
  type GroupDocument,
  type PolicyDocument,
  type PolicyVersion,
  policyArn,
  type RoleDocument,
  type Tag,
  type UserDocument,
} from '../identity-documents.ts';

/** A policy's text as answers carry it: RFC 3986. */
export function encodeDocument(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** @param isWhole False in lists, which leave boundary and tags out. */
export function userOutput(user: UserDocument, isWhole = false): object {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: entityArn(user),
    CreateDate: new Date(user.createdAtMs),
    ...(isWhole ? boundaryAndTags(user) : {}),
  };
}

export function groupOutput(group: GroupDocument): object {
  return {
    Path: group.path,
    GroupName: group.name,
    GroupId: group.id,
    Arn: entityArn(group),
    CreateDate: new Date(group.createdAtMs),
  };
}

/** @param isWhole False in lists, which leave boundary and tags out. */
export function roleOutput(role: RoleDocument, isWhole = false): object {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: entityArn(role),
    CreateDate: new Date(role.createdAtMs),
    AssumeRolePolicyDocument: encodeDocument(role.trustPolicy),
    ...(role.description === undefined ? {} : { Description: role.description }),
    MaxSessionDuration: role.maxSessionSeconds,
    ...(isWhole ? boundaryAndTags(role) : {}),
  };
}

function boundaryAndTags({ boundary, tags }: { readonly boundary?: string; readonly tags: readonly Tag[] }): object {
  return {
    ...(boundary === undefined
      ? {}
      : { PermissionsBoundary: { PermissionsBoundaryType: 'PermissionsBoundaryPolicy', PermissionsBoundaryArn: boundary } }),
    ...(tags.length === 0 ? {} : { Tags: tags }),
  };
}

/** How often a managed policy is in use in one account. */
export interface PolicyUse {
  readonly attachments: number;
  readonly boundaries: number;
}

export function policyOutput(policy: PolicyDocument, use: PolicyUse, isWhole = false): object {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policyArn(policy),
    Path: policy.path,
    DefaultVersionId: policy.defaultVersionId,
    AttachmentCount: use.attachments,
    PermissionsBoundaryUsageCount: use.boundaries,
    IsAttachable: true,
    CreateDate: new Date(policy.createdAtMs),
    UpdateDate: new Date(policy.updatedAtMs),
    ...(isWhole && policy.description !== undefined ? { Description: policy.description } : {}),
    ...(isWhole && policy.tags.length > 0 ? { Tags: policy.tags } : {}),
  };
}

export function versionOutput(policy: PolicyDocument, version: PolicyVersion, isWhole: boolean): object {
  return {
    ...(isWhole ? { Document: encodeDocument(version.document) } : {}),
    VersionId: version.id,
    IsDefaultVersion: version.id === policy.defaultVersionId,
    CreateDate: new Date(version.createdAtMs),
  };
}
