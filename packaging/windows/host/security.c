/* Who may do what. Which rights these are is decided in packaging/windows/setup/rights.ts. */
#include "lumetry-svc.h"
#include <aclapi.h>
#include <lm.h>
#include <sddl.h>

/* The service's variables can hold the enrollment token, and every user may read a service's key by default. */
#define KEY_RIGHTS L"D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)"
/* Performance Monitor Users, whose name depends on Windows' language. */
#define PERFORMANCE_USERS L"S-1-5-32-558"

static BOOL is_one_of_us(PSID owner)
{
    BYTE user[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    DWORD size;
    HANDLE token;
    BOOL is_me = OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) &&
                 GetTokenInformation(token, TokenUser, user, sizeof user, &size) &&
                 EqualSid(owner, ((TOKEN_USER *)user)->User.Sid);
    return is_me || IsWellKnownSid(owner, WinLocalSystemSid) || IsWellKnownSid(owner, WinBuiltinAdministratorsSid);
}

/* Every user may make folders in %ProgramData%: one that somebody else made beforehand stays theirs to change. */
static int check_owner(const wchar_t *path)
{
    PSECURITY_DESCRIPTOR descriptor;
    PSID owner;
    DWORD attributes = GetFileAttributesW(path);
    if (attributes == INVALID_FILE_ATTRIBUTES) return failed(path);
    if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) || !(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
        fwprintf(stderr, L"%ls is a link or a file where a folder belongs; remove it and install again\n", path);
        return ENDED_BADLY;
    }
    DWORD error = GetNamedSecurityInfoW(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
                                        &descriptor);
    if (error) return failed_with(path, error);
    BOOL is_ours = is_one_of_us(owner);
    LocalFree(descriptor);
    if (is_ours) return ENDED_WELL;
    fwprintf(stderr, L"%ls was made by somebody who is no administrator; look what it is, remove it and install again\n",
             path);
    return ENDED_BADLY;
}

/* Makes a folder for those that the descriptor names alone, or gives it to them; what is below inherits that. */
int protect_path(const wchar_t *path, const wchar_t *sddl)
{
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, FALSE};
    BOOL is_there, is_default;
    PSID owner;
    PACL list;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor,
                                                              NULL))
        return failed(sddl);
    if (CreateDirectoryW(path, &attributes)) return ENDED_WELL;
    if (GetLastError() != ERROR_ALREADY_EXISTS) return failed(path);
    int ending = check_owner(path);
    if (ending) return ending;
    GetSecurityDescriptorOwner(attributes.lpSecurityDescriptor, &owner, &is_default);
    GetSecurityDescriptorDacl(attributes.lpSecurityDescriptor, &is_there, &list, &is_default);
    DWORD error = SetNamedSecurityInfoW(
        (wchar_t *)path, SE_FILE_OBJECT,
        OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, owner, NULL, list,
        NULL);
    return error ? failed_with(path, error) : ENDED_WELL;
}

int protect_service_key(void)
{
    PSECURITY_DESCRIPTOR descriptor;
    BOOL is_there, is_default;
    PACL list;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(KEY_RIGHTS, SDDL_REVISION_1, &descriptor, NULL))
        return failed(KEY_RIGHTS);
    GetSecurityDescriptorDacl(descriptor, &is_there, &list, &is_default);
    DWORD error = SetNamedSecurityInfoW((wchar_t *)L"MACHINE\\" SERVICE_KEY, SE_REGISTRY_KEY,
                                        DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL,
                                        list, NULL);
    LocalFree(descriptor);
    return error ? failed_with(L"the rights on the service's key in the registry", error) : ENDED_WELL;
}

int join_performance_users(const wchar_t *account, BOOL is_member)
{
    wchar_t name[256], domain[256];
    DWORD name_length = ARRAYSIZE(name), domain_length = ARRAYSIZE(domain);
    PSID group, member;
    SID_NAME_USE use;
    if (!ConvertStringSidToSidW(account, &member)) return failed(account);
    if (!ConvertStringSidToSidW(PERFORMANCE_USERS, &group)) return failed(PERFORMANCE_USERS);
    if (!LookupAccountSidW(NULL, group, name, &name_length, domain, &domain_length, &use))
        return failed(L"the group Performance Monitor Users");
    LOCALGROUP_MEMBERS_INFO_0 entry = {member};
    DWORD error = is_member ? NetLocalGroupAddMembers(NULL, name, 0, (BYTE *)&entry, 1)
                            : NetLocalGroupDelMembers(NULL, name, 0, (BYTE *)&entry, 1);
    if (error == NERR_Success || error == (is_member ? ERROR_MEMBER_IN_ALIAS : ERROR_MEMBER_NOT_IN_ALIAS))
        return ENDED_WELL;
    return failed_with(name, error);
}
