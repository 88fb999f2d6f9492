/* The service's registration with Windows: account, start, recovery, and the source of its events. */
#include "lumetry-svc.h"

#define EVENT_SOURCE_KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" SERVICE_NAME
#define PATIENCE_MS 60000

static SC_HANDLE open_service(DWORD access, int *ending)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service = NULL;
    *ending = ENDED_WELL;
    if (!manager) *ending = failed(L"the service control manager");
    else if (!(service = OpenServiceW(manager, SERVICE_NAME, access))) {
        DWORD error = GetLastError();
        *ending = error == ERROR_SERVICE_DOES_NOT_EXIST ? ENDED_WITHOUT_SERVICE : failed_with(L"the service", error);
    }
    if (manager) CloseServiceHandle(manager);
    return service;
}

static BOOL configure(SC_HANDLE service, DWORD level, void *content, const wchar_t *what)
{
    if (ChangeServiceConfig2W(service, level, content)) return TRUE;
    DWORD error = GetLastError();
    if (is_wine()) {
        fwprintf(stderr, L"%ls: Wine has none\n", what);
        return TRUE;
    }
    failed_with(what, error);
    return FALSE;
}

static BOOL configure_all(SC_HANDLE service)
{
    /* Counted anew after a day without a failure; every later failure takes the last action. */
    SC_ACTION actions[] = {{SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 30000}, {SC_ACTION_RESTART, 60000}};
    SERVICE_FAILURE_ACTIONSW failure = {24 * 60 * 60, NULL, NULL, ARRAYSIZE(actions), actions};
    SERVICE_FAILURE_ACTIONS_FLAG also_after_errors = {TRUE};
    SERVICE_SID_INFO identifier = {SERVICE_SID_TYPE_UNRESTRICTED};
    SERVICE_DESCRIPTIONW description = {
        L"Measures this machine for Lumetry. Makes outbound connections only; keeps what it measured while it has none."};
    SERVICE_PRESHUTDOWN_INFO before_shutdown = {30000};
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = {L"SeChangeNotifyPrivilege\0"};
    return configure(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure, L"the recovery of the service") &&
           configure(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_after_errors, L"the recovery after errors") &&
           configure(service, SERVICE_CONFIG_SERVICE_SID_INFO, &identifier, L"the identifier of the service") &&
           configure(service, SERVICE_CONFIG_DESCRIPTION, &description, L"the description of the service") &&
           configure(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &before_shutdown, L"the time to stop at shutdown") &&
           configure(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges, L"the privileges of the service");
}

static int add_event_source(void)
{
    HKEY key;
    wchar_t file[LONGEST_PATH + 32];
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    swprintf(file, ARRAYSIZE(file), L"%ls\\lumetry-svc.exe", program_folder);
    LSTATUS error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, EVENT_SOURCE_KEY, 0, NULL, 0, KEY_WRITE, NULL, &key, NULL);
    if (error) return failed_with(L"the event log source", (DWORD)error);
    error = RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (BYTE *)file,
                           (DWORD)((wcslen(file) + 1) * sizeof *file));
    if (!error) error = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (BYTE *)&types, sizeof types);
    RegCloseKey(key);
    return error ? failed_with(L"the event log source", (DWORD)error) : ENDED_WELL;
}

int install_service(void)
{
    wchar_t command[LONGEST_PATH + 32];
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CREATE_SERVICE | SC_MANAGER_CONNECT), service;
    if (!manager) return failed(L"the service control manager");
    swprintf(command, ARRAYSIZE(command), L"\"%ls\\lumetry-svc.exe\" run", program_folder);
    service = CreateServiceW(manager, SERVICE_NAME, L"Lumetry Agent", SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                             SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command, NULL, NULL, NULL, SERVICE_ACCOUNT, NULL);
    if (!service && GetLastError() == ERROR_SERVICE_EXISTS) {
        service = OpenServiceW(manager, SERVICE_NAME, SERVICE_ALL_ACCESS);
        if (service && !ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                                             SERVICE_ERROR_NORMAL, command, NULL, NULL, NULL, SERVICE_ACCOUNT, NULL,
                                             L"Lumetry Agent"))
            return failed(L"the service that is there could not be changed");
    }
    if (!service && GetLastError() == ERROR_SERVICE_MARKED_FOR_DELETE) {
        fputws(L"an older service of this name waits to be deleted: close the Services window and other programs that "
               L"show services, or restart Windows, then install again\n", stderr);
        return ENDED_BADLY;
    }
    if (!service) return failed(L"the service could not be created");
    if (!configure_all(service)) return ENDED_BADLY;
    int ending = add_event_source();
    return ending ? ending : protect_service_key();
}

/* Waits while the service is on its way; answers the state that it came to, 0 if that takes too long. */
static DWORD settled_state(SC_HANDLE service)
{
    SERVICE_STATUS found;
    for (int waited = 0; waited < PATIENCE_MS; waited += 100) {
        if (!QueryServiceStatus(service, &found)) return 0;
        if (found.dwCurrentState == SERVICE_RUNNING || found.dwCurrentState == SERVICE_STOPPED)
            return found.dwCurrentState;
        Sleep(100);
    }
    SetLastError(ERROR_SERVICE_REQUEST_TIMEOUT);
    return 0;
}

int start_service(void)
{
    int ending;
    SC_HANDLE service = open_service(SERVICE_START | SERVICE_QUERY_STATUS, &ending);
    if (!service) return ending;
    if (!StartServiceW(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
        return failed(L"the service could not be started");
    DWORD state = settled_state(service);
    if (state == SERVICE_RUNNING) return ENDED_WELL;
    if (state == 0) return failed(L"the service does not say that it has started");
    fputws(L"the service has stopped as soon as it was started; the Application event log says why\n", stderr);
    return ENDED_BADLY;
}

static int stop(SC_HANDLE service)
{
    SERVICE_STATUS found;
    DWORD state = settled_state(service);
    if (state == SERVICE_STOPPED) return ENDED_WELL;
    if (state == SERVICE_RUNNING && !ControlService(service, SERVICE_CONTROL_STOP, &found) &&
        GetLastError() != ERROR_SERVICE_NOT_ACTIVE)
        return failed(L"the service could not be told to stop");
    for (int waited = 0; waited < PATIENCE_MS; waited += 100) {
        if (QueryServiceStatus(service, &found) && found.dwCurrentState == SERVICE_STOPPED) return ENDED_WELL;
        Sleep(100);
    }
    return failed_with(L"the service does not stop", ERROR_SERVICE_REQUEST_TIMEOUT);
}

/* A service that has said that it stopped may still run for a moment, and hold its files. */
static HANDLE process_of(SC_HANDLE service)
{
    SERVICE_STATUS_PROCESS found;
    DWORD size;
    if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&found, sizeof found, &size) ||
        found.dwProcessId == 0)
        return NULL;
    return OpenProcess(SYNCHRONIZE, FALSE, found.dwProcessId);
}

static int stop_fully(SC_HANDLE service)
{
    HANDLE process = process_of(service);
    int ending = stop(service);
    if (process) {
        if (!ending) WaitForSingleObject(process, 10000);
        CloseHandle(process);
    }
    return ending;
}

int stop_service(void)
{
    int ending;
    SC_HANDLE service = open_service(SERVICE_STOP | SERVICE_QUERY_STATUS, &ending);
    return service ? stop_fully(service) : ending;
}

int remove_service(void)
{
    int ending;
    SC_HANDLE service = open_service(SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE, &ending);
    if (service) {
        ending = stop_fully(service);
        if (!ending && !DeleteService(service) && GetLastError() != ERROR_SERVICE_MARKED_FOR_DELETE)
            ending = failed(L"the service could not be deleted");
        CloseServiceHandle(service);
    }
    /* The source goes in any case: what was half installed is taken away, too. */
    LSTATUS error = RegDeleteTreeW(HKEY_LOCAL_MACHINE, EVENT_SOURCE_KEY);
    if (error && error != ERROR_FILE_NOT_FOUND) return failed_with(L"the event log source", (DWORD)error);
    return ending == ENDED_WITHOUT_SERVICE ? ENDED_WELL : ending;
}

static void print_json(const wchar_t *text)
{
    char bytes[8 * LONGEST_PATH];
    WideCharToMultiByte(CP_UTF8, 0, text ? text : L"", -1, bytes, sizeof bytes, NULL, NULL);
    putchar('"');
    for (char *at = bytes; *at; at++) {
        if (*at == '"' || *at == '\\') putchar('\\');
        if ((unsigned char)*at >= ' ') putchar(*at);
    }
    putchar('"');
}

int show_service(void)
{
    static union {
        QUERY_SERVICE_CONFIGW config;
        BYTE bytes[8192];
    } found;
    SERVICE_STATUS_PROCESS now;
    DWORD size;
    int ending;
    SC_HANDLE service = open_service(SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS, &ending);
    if (!service) return ending;
    if (!QueryServiceConfigW(service, &found.config, sizeof found, &size) ||
        !QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&now, sizeof now, &size))
        return failed(L"the service");
    const char *states[] = {"unknown",         "stopped",       "start pending", "stop pending", "running",
                            "continue pending", "pause pending", "paused"};
    printf("{\"state\":\"%s\",\"processId\":%lu,\"win32ExitCode\":%lu,\"serviceExitCode\":%lu,\"startType\":%lu,",
           states[now.dwCurrentState < ARRAYSIZE(states) ? now.dwCurrentState : 0], now.dwProcessId,
           now.dwWin32ExitCode, now.dwServiceSpecificExitCode, found.config.dwStartType);
    printf("\"account\":");
    print_json(found.config.lpServiceStartName);
    printf(",\"command\":");
    print_json(found.config.lpBinaryPathName);
    printf("}\n");
    return ENDED_WELL;
}
