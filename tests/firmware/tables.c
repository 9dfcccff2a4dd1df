/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/tables.c — the system table that the loader sees, the text console, and the load options.
 *
 * HOW      The table and its list of configuration tables are copies in memory of runtime services data, because the kernel
 *          reads them after the firmware has gone.  The console passes text on; what loaders have no business with is a
 *          violation: clearing the screen and changing the mode hang some machines, polling the keyboard stalls others.
 * SOURCE   UEFI 2.10: 3.1.3 (load options), 4.3 (system table), 12.3, 12.4 (text); ACPI 6.5: 5.2.5, 5.2.8, 5.2.12.
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define OPTIONS      u"test=all test.exit"
#define OPTIONS_8BIT "test=all test.exit"
#define BLOB_SIZE    512

static SIMPLE_TEXT_OUTPUT_INTERFACE console;
static SIMPLE_INPUT_INTERFACE keyboard;
static uint8_t blob[BLOB_SIZE];

/* --- text ----------------------------------------------------------------------------------------------------------- */

static EFI_STATUS EFIAPI console_output(SIMPLE_TEXT_OUTPUT_INTERFACE *self, CHAR16 *text) {
  (void)self;
  if (shim_is_strict) shim_violation("OutputString");
  return shim_firmware->ConOut->OutputString(shim_firmware->ConOut, text);
}
static EFI_STATUS EFIAPI console_reset(SIMPLE_TEXT_OUTPUT_INTERFACE *self, BOOLEAN extended) {
  (void)self, (void)extended;
  shim_violation("ConOut.Reset");
  return EFI_SUCCESS;
}
static EFI_STATUS EFIAPI console_set_mode(SIMPLE_TEXT_OUTPUT_INTERFACE *self, UINTN mode) {
  (void)self, (void)mode;
  shim_violation("ConOut.SetMode");
  return EFI_SUCCESS;
}
static EFI_STATUS EFIAPI console_clear(SIMPLE_TEXT_OUTPUT_INTERFACE *self) {
  (void)self;
  shim_violation("ClearScreen");
  return EFI_SUCCESS;
}
static EFI_STATUS EFIAPI keyboard_read(SIMPLE_INPUT_INTERFACE *self, EFI_INPUT_KEY *pressed) {
  (void)self, (void)pressed;
  shim_violation("ReadKeyStroke");
  return EFI_NOT_READY;
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

static void *runtime_pool(size_t size) {
  void *at = NULL;
  if (EFI_ERROR(shim_services->AllocatePool(EfiRuntimeServicesData, size, &at))) print_line("BROKEN no pool");
  return at;
}

static const EFI_GUID acpi_2 = ACPI_20_TABLE_GUID;
static const EFI_GUID acpi_1 = ACPI_TABLE_GUID;
static const EFI_GUID attributes = {0xdcfa911d, 0x26eb, 0x469f, {0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20}};

static bool is_acpi(const EFI_GUID *guid) { return shim_same_guid(guid, &acpi_1) || shim_same_guid(guid, &acpi_2); }

static bool is_dropped(const EFI_GUID *guid) {
  if (quirks_play(QUIRK_NO_TABLES)) return true;
  if (is_acpi(guid)) return quirks_play(QUIRK_NO_ACPI);
  return shim_same_guid(guid, &attributes) && quirks_play(QUIRK_NO_ATTRIBUTES);
}

/* A table where there is none. */
static void misplace(EFI_CONFIGURATION_TABLE *entry) {
  enum quirk q = is_acpi(&entry->VendorGuid) ? QUIRK_ACPI_AT : QUIRK_ATTRIBUTES_AT;
  if (q == QUIRK_ATTRIBUTES_AT && !shim_same_guid(&entry->VendorGuid, &attributes)) return;
  if (quirks_play(q)) entry->VendorTable = (void *)(uintptr_t)quirks_value(q);
}

/* --- CPUs that are not there ------------------------------------------------------------------------------------------ */

static uint8_t *find_madt(const uint8_t *rsdp) {
  uint64_t at;
  uint32_t size;
  memcpy(&at, rsdp + 24, sizeof at);
  const uint8_t *xsdt = (const uint8_t *)(uintptr_t)at;
  memcpy(&size, xsdt + 4, sizeof size);
  for (uint32_t i = 36; i + 8 <= size; i += 8) {
    memcpy(&at, xsdt + i, sizeof at);
    if (memcmp((const void *)(uintptr_t)at, "APIC", 4) == 0) return (uint8_t *)(uintptr_t)at;
  }
  return NULL;
}

/* Enables the entries that are disabled (QEMU's maxcpus beyond smp), and lists the last CPU that is there behind them. */
static void enable_missing(uint8_t *madt) {
  uint32_t size;
  uint8_t sum = 0;
  uint8_t *present = NULL;
  uint8_t *missing = NULL;
  memcpy(&size, madt + 4, sizeof size);
  for (uint8_t *e = madt + 44; e + 8 <= madt + size && e[1] >= 2; e += e[1]) {
    if (e[0] != 0) continue;
    *((e[4] & 1) ? &present : &missing) = e;
    e[4] |= 1;
  }
  if (!present || !missing) return;
  const uint8_t id = present[3];
  present[3] = missing[3];
  missing[3] = id;
  madt[9] = 0;
  for (uint32_t i = 0; i < size; i++) sum = (uint8_t)(sum + madt[i]);
  madt[9] = (uint8_t)-sum;
}

static void add_missing_cpus(const EFI_CONFIGURATION_TABLE *entry) {
  if (!shim_same_guid(&entry->VendorGuid, &acpi_2) || !quirks_play(QUIRK_CPU_MISSING)) return;
  uint8_t *madt = find_madt(entry->VendorTable);
  if (madt) enable_missing(madt);
}

/* --- tables where they should not be -------------------------------------------------------------------------------- */

static void *copy_of(const void *from, uint32_t size) { return memcpy(shim_pages(size), from, size); }

static void set_checksum(uint8_t *table, uint32_t size, uint32_t at) {
  uint8_t sum = 0;
  table[at] = 0;
  for (uint32_t i = 0; i < size; i++) sum = (uint8_t)(sum + table[i]);
  table[at] = (uint8_t)-sum;
}

static void *copy_of_table(uint64_t at) {
  const uint8_t *table = (const uint8_t *)(uintptr_t)at;
  uint32_t size;
  memcpy(&size, table + 4, sizeof size);
  return copy_of(table, size);
}

/* The RSDP, the XSDT and all tables that it lists, in memory that is boot services'. */
static void move_to_boot_memory(EFI_CONFIGURATION_TABLE *entry) {
  uint64_t at;
  uint32_t size;
  if (!shim_same_guid(&entry->VendorGuid, &acpi_2) || !quirks_play(QUIRK_ACPI_BOOT)) return;
  uint8_t *rsdp = copy_of(entry->VendorTable, 36);
  memcpy(&at, rsdp + 24, sizeof at);
  uint8_t *xsdt = copy_of_table(at);
  at = (uintptr_t)xsdt;
  memcpy(rsdp + 24, &at, sizeof at);
  set_checksum(rsdp, 36, 32);
  memcpy(&size, xsdt + 4, sizeof size);
  for (uint32_t i = 36; i + 8 <= size; i += 8) {
    memcpy(&at, xsdt + i, sizeof at);
    at = (uintptr_t)copy_of_table(at);
    memcpy(xsdt + i, &at, sizeof at);
  }
  set_checksum(xsdt, size, 9);
  entry->VendorTable = rsdp;
}

static void copy_configuration(EFI_SYSTEM_TABLE *table) {
  UINTN kept = 0;
  EFI_CONFIGURATION_TABLE *copy = runtime_pool((table->NumberOfTableEntries + 1) * sizeof *copy);
  for (UINTN i = 0; i < table->NumberOfTableEntries; i++) {
    if (is_dropped(&shim_firmware->ConfigurationTable[i].VendorGuid)) continue;
    copy[kept] = shim_firmware->ConfigurationTable[i];
    add_missing_cpus(&copy[kept]);
    move_to_boot_memory(&copy[kept]);
    misplace(&copy[kept++]);
  }
  table->NumberOfTableEntries = kept;
  table->ConfigurationTable = quirks_on(QUIRK_NO_TABLES) ? NULL : copy;
}

EFI_SYSTEM_TABLE *tables_make(EFI_BOOT_SERVICES *services) {
  static CHAR16 vendor[] = u"American Megatrends";
  EFI_SYSTEM_TABLE *table = runtime_pool(sizeof *table);
  *table = *shim_firmware;
  copy_configuration(table);
  console = *shim_firmware->ConOut;
  console.OutputString = console_output;
  console.Reset = console_reset;
  console.SetMode = console_set_mode;
  console.ClearScreen = console_clear;
  keyboard = *shim_firmware->ConIn;
  keyboard.ReadKeyStroke = keyboard_read;
  table->ConOut = &console;
  table->StdErr = &console;
  table->ConIn = &keyboard;
  table->BootServices = services;
  if (quirks_play(QUIRK_AMI)) {
    CHAR16 *name = runtime_pool(sizeof vendor);
    memcpy(name, vendor, sizeof vendor);
    table->FirmwareVendor = name;
    table->Hdr.Revision = 0x20000;
  }
  if (quirks_play(QUIRK_VENDOR_AT)) table->FirmwareVendor = (CHAR16 *)(uintptr_t)quirks_value(QUIRK_VENDOR_AT);
  table->Hdr.CRC32 = 0;
  UINT32 sum = 0;
  (void)shim_services->CalculateCrc32(table, table->Hdr.HeaderSize, &sum);
  table->Hdr.CRC32 = sum;
  return table;
}

/* --- load options --------------------------------------------------------------------------------------------------- */

static size_t put(size_t at, const void *bytes, size_t n) {
  memcpy(blob + at, bytes, n);
  return at + n;
}

/* The whole boot entry: attributes, length of the path, description, path (disk, file, end), and only then the options. */
static size_t make_entry(void) {
  static const uint8_t disk[42] = {4, 1, sizeof disk, 0, 1, 0, 0, 0, 0, 8, [40] = 2, 2};
  static const CHAR16 file[] = u"\\EFI\\BOOT\\BOOTX64.EFI";
  static const uint8_t file_node[4] = {4, 4, sizeof file_node + sizeof file, 0};
  static const uint8_t end_node[4] = {0x7f, 0xff, sizeof end_node, 0};
  const uint32_t active = 1;
  const uint16_t path_size = sizeof disk + sizeof file_node + sizeof file + sizeof end_node;
  size_t at = put(0, &active, sizeof active);
  at = put(at, &path_size, sizeof path_size);
  at = put(at, u"Cairn", sizeof u"Cairn");
  at = put(at, disk, sizeof disk);
  at = put(at, file_node, sizeof file_node);
  at = put(at, file, sizeof file);
  at = put(at, end_node, sizeof end_node);
  return put(at, OPTIONS, sizeof OPTIONS);
}

void tables_set_options(EFI_LOADED_IMAGE *image) {
  const char *kind = quirks_text(QUIRK_OPTIONS);
  size_t size = 0;
  if (!quirks_play(QUIRK_OPTIONS)) return;
  if (strcmp(kind, "entry") == 0) size = make_entry();
  if (strcmp(kind, "text") == 0) size = put(0, OPTIONS, sizeof OPTIONS);
  if (strcmp(kind, "unterminated") == 0) size = put(0, OPTIONS, sizeof OPTIONS - sizeof(CHAR16));
  if (strcmp(kind, "odd") == 0) size = put(0, OPTIONS, sizeof OPTIONS) - 1;
  if (strcmp(kind, "8bit") == 0) size = put(0, OPTIONS_8BIT, sizeof OPTIONS_8BIT);
  if (strcmp(kind, "garbage") == 0) {
    for (size = 0; size < 301; size++) blob[size] = (uint8_t)(size * 167 + 13);
  }
  image->LoadOptions = strcmp(kind, "null") == 0 ? NULL : blob;
  image->LoadOptionsSize = strcmp(kind, "null") == 0 ? 64 : (UINT32)size;
}
