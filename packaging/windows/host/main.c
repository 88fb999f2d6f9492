#include "lumetry-svc.h"
#include <io.h>
#include <fcntl.h>

wchar_t program_folder[LONGEST_PATH];

int failed_with(const wchar_t *what, DWORD error)
{
    wchar_t reason[512] = L"";
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0,
                                  reason, ARRAYSIZE(reason), NULL);
    while (length > 0 && wcschr(L"\r\n. ", reason[length - 1])) reason[--length] = 0;
    fwprintf(stderr, L"%ls: %ls (Windows error %lu)\n", what, length ? reason : L"no reason is known", error);
    return ENDED_BADLY;
}

BOOL is_wine(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

int read_input(char *into, int size)
{
    int count = 0, more;
    _setmode(_fileno(stdin), _O_BINARY);
    while (count < size && (more = (int)fread(into + count, 1, (size_t)(size - count), stdin)) > 0) count += more;
    return count == size && fgetc(stdin) != EOF ? -1 : count;
}

static int usage(void)
{
    fputws(L"Usage: lumetry-svc COMMAND\n\n"
           L"The service host of the Lumetry agent. The service control manager calls \"run\"; setup calls the rest:\n\n"
           L"  install                   registers this program as the service, or an older service anew\n"
           L"  start, stop, remove       the service; each waits until it is done\n"
           L"  show                      the service as JSON; ends with 3 when there is none\n"
           L"  environment               the variables to start with, NAME=VALUE lines on standard input\n"
           L"  protect PATH SDDL         makes a folder for those alone whom the descriptor names\n"
           L"  performance join|leave SID  the group that may read performance counters\n"
           L"  namespace show|set NAME   the security descriptor of a WMI namespace, in hexadecimal\n\n"
           L"To install the agent, use the command that Lumetry shows under Install Agent.\n",
           stderr);
    return ENDED_BY_USAGE;
}

int wmain(int count, wchar_t **arguments)
{
    const wchar_t *command = count > 1 ? arguments[1] : L"";
    DWORD length = GetModuleFileNameW(NULL, program_folder, LONGEST_PATH);
    if (length == 0 || length == LONGEST_PATH) return failed(L"the path of this program");
    *wcsrchr(program_folder, L'\\') = 0;

#define IS(name, parameters) (wcscmp(command, L##name) == 0 && count == 2 + (parameters))
    if (IS("run", 0)) return run_service();
    if (IS("install", 0)) return install_service();
    if (IS("start", 0)) return start_service();
    if (IS("stop", 0)) return stop_service();
    if (IS("remove", 0)) return remove_service();
    if (IS("show", 0)) return show_service();
    if (IS("environment", 0)) return set_environment();
    if (IS("protect", 2)) return protect_path(arguments[2], arguments[3]);
    if (IS("performance", 2) && !wcscmp(arguments[2], L"join")) return join_performance_users(arguments[3], TRUE);
    if (IS("performance", 2) && !wcscmp(arguments[2], L"leave")) return join_performance_users(arguments[3], FALSE);
    if (IS("namespace", 2) && !wcscmp(arguments[2], L"show")) return show_namespace(arguments[3]);
    if (IS("namespace", 2) && !wcscmp(arguments[2], L"set")) return set_namespace(arguments[3]);
    return usage();
}
