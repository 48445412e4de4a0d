#!/usr/bin/env bash
# Apache.Avro 1.12.2 (NuGet), GenericDatumReader with a writer's and a reader's schema.
#
# Expected, by the specification's schema resolution: a field renamed with "aliases" has the written value; a timestamp in milliseconds read
# as one in microseconds is the same instant or is refused; a default of a double has a double's precision; a default of a string is that
# text.
# Seen: the alias is ignored and the field has its default; the milliseconds are taken for microseconds (2026 becomes January 1970); the
# default 0.1 passes through a float; a text that looks like a time is parsed into one, and the reader then refuses it as no string.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="Apache.Avro" Version="[1.12.2]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Globalization;
using Avro;
using Avro.Generic;
using Avro.IO;

Read("alias", """{"name":"amount","type":"long"}""", 500L, """{"name":"cents","type":"long","aliases":["amount"],"default":0}""");
Read("millis as micros", Time("millis"), new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc), Time("micros"));
Read("default of a double", """{"name":"amount","type":"long"}""", 500L, """{"name":"rate","type":"double","default":0.1}""");
Read("default of a string", """{"name":"amount","type":"long"}""", 500L, """{"name":"since","type":"string","default":"2026-01-31T12:00:00Z"}""");

static string Time(string unit) => $$$"""{"name":"at","type":{"type":"long","logicalType":"timestamp-{{{unit}}}"}}""";

static void Read(string what, string writerField, object value, string readerField)
{
    var writer = (RecordSchema)Schema.Parse(Record(writerField));
    var record = new GenericRecord(writer);
    record.Add(0, value);
    var bytes = new MemoryStream();
    new GenericDatumWriter<GenericRecord>(writer).Write(record, new BinaryEncoder(bytes));
    bytes.Position = 0;
    try
    {
        object read = new GenericDatumReader<GenericRecord>(writer, Schema.Parse(Record(readerField))).Read(null!, new BinaryDecoder(bytes)).GetValue(0);
        Console.WriteLine($"{what}: {(read is DateTime time ? time.ToString("o") : Convert.ToString(read, CultureInfo.InvariantCulture))}");
    }
    catch (AvroException)
    {
        Console.WriteLine($"{what}: refused");
    }

    static string Record(string field) => $$"""{"type":"record","name":"Paid","fields":[{{field}}]}""";
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
alias: 0
millis as micros: 1970-01-21T11:37:40.8000000Z
default of a double: 0.10000000149011612
default of a string: refused
SEEN
