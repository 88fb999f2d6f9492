/*
 * lumetry-svc.exe: the part of the Lumetry agent for Windows that Node cannot be. As the service it runs
 * node.exe and tells the event log how that goes (run.c); for setup it does, one call at a time, what needs
 * Windows' own interfaces. It decides nothing about an installation: packaging/windows/setup does.
 */
#ifndef LUMETRY_SVC_H
#define LUMETRY_SVC_H

#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif
#define _WIN32_WINNT 0x0A00
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

#define SERVICE_NAME L"LumetryAgent"
#define SERVICE_ACCOUNT L"NT SERVICE\\LumetryAgent"
#define SERVICE_KEY L"SYSTEM\\CurrentControlSet\\Services\\" SERVICE_NAME
#define LONGEST_PATH 1024

/* How a command ends; setup reads these. */
enum { ENDED_WELL = 0, ENDED_BADLY = 1, ENDED_BY_USAGE = 2, ENDED_WITHOUT_SERVICE = 3 };

/* The folder of this program, without a backslash at its end. */
extern wchar_t program_folder[LONGEST_PATH];

/* Tells on standard error what failed and why, in Windows' words; answers ENDED_BADLY. */
int failed_with(const wchar_t *what, DWORD error);
#define failed(what) failed_with((what), GetLastError())

/* Wine, where this is tested, knows services, but neither their recovery, identifiers, privileges nor variables. */
BOOL is_wine(void);

/* run.c: as the service control manager starts it. */
int run_service(void);

/* service.c: the service's registration. */
int install_service(void);
int start_service(void);
int stop_service(void);
int remove_service(void);
int show_service(void);

/* environment.c: the variables that the service starts with. */
int set_environment(void);
void take_environment(void);

/* security.c: who may do what. */
int protect_path(const wchar_t *path, const wchar_t *sddl);
int protect_service_key(void);
int join_performance_users(const wchar_t *account, BOOL is_member);

/* namespace.c: the security descriptor of a WMI namespace, as bytes in hexadecimal. */
int show_namespace(const wchar_t *name);
int set_namespace(const wchar_t *name);

/* Reads standard input to its end, at most `size` bytes; answers the count, or -1 when there is more. */
int read_input(char *into, int size);

#endif
