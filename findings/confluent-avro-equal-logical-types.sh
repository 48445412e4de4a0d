#!/usr/bin/env bash
# Confluent.SchemaRegistry.Serdes.Avro 2.16.0 with Apache.Avro 1.12.2 (NuGet): two schemas that differ in a logical type alone.
#
# Expected: a timestamp in milliseconds and one in microseconds are different schemas: the serializer registers both, and each message has
# the id of its own.
# Seen: Apache.Avro has them for equal, as any two logical types over a long (but not decimals of different scales). The serializer looks up
# the schemas it has registered, so it takes the second for the first: it is not registered, and its message has the first id before the
# second one's bytes. A consumer reads January 1970 for 2026, or refuses a year beyond 9999.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Apache.Avro" Version="[1.12.2]" />
    <PackageReference Include="Confluent.SchemaRegistry.Serdes.Avro" Version="[2.16.0]" />
  </ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Reflection;
using Avro;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using Registered = Confluent.SchemaRegistry.Schema;

Console.WriteLine($"equal: {Paid("timestamp-millis").Equals(Paid("timestamp-micros"))}");
await Send("timestamp-micros", "timestamp-millis");
await Send("timestamp-millis", "timestamp-micros");

static async Task Send(params string[] logicalTypes)
{
    ISchemaRegistryClient client = DispatchProxy.Create<ISchemaRegistryClient, Registry>();
    List<string> texts = ((Registry)(object)client).Texts;
    var serializer = new AvroSerializer<GenericRecord>(client);
    var deserializer = new AvroDeserializer<GenericRecord>(client);
    var context = new SerializationContext(MessageComponentType.Value, "payments");
    foreach (string logicalType in logicalTypes)
    {
        var paid = new GenericRecord(Paid(logicalType));
        paid.Add("at", new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc));
        byte[] message = await serializer.SerializeAsync(paid, context);
        string read;
        try
        {
            read = $"{(await deserializer.DeserializeAsync(message, false, context))["at"]:u}";
        }
        catch (AvroException)
        {
            read = "refused";
        }
        Console.WriteLine($"{logicalType}: id {message[4]} of {texts.Count}, 2026-01-31 12:00:00Z is read as {read}");
    }
}

static RecordSchema Paid(string logicalType) => (RecordSchema)Avro.Schema.Parse(
    $$$"""{"type":"record","name":"Paid","fields":[{"name":"at","type":{"type":"long","logicalType":"{{{logicalType}}}"}}]}""");

/// <summary>A registry in memory: the first text has the id 1.</summary>
public class Registry : DispatchProxy
{
    public readonly List<string> Texts = [];

    protected override object? Invoke(MethodInfo? method, object?[]? arguments) => method!.Name switch
    {
        "RegisterSchemaWithResponseAsync" => Task.FromResult(Register(arguments!.OfType<Registered>().First().SchemaString)),
        "GetSchemaAsync" or "GetSchemaBySubjectAndIdAsync" =>
            Task.FromResult(new Registered(Texts[arguments!.OfType<int>().First() - 1], SchemaType.Avro)),
        "ConstructValueSubjectName" => "payments-value",
        "GetAssociationsByResourceNameAsync" => Empty(method.ReturnType.GetGenericArguments()[0]),
        "get_MaxCachedSchemas" => 1000,
        "get_Config" => Array.Empty<KeyValuePair<string, string>>(),
        _ when method.ReturnType == typeof(void) || method.Name.StartsWith("get_") => null,
        _ => throw new NotSupportedException(method.Name),
    };

    private RegisteredSchema Register(string text)
    {
        if (!Texts.Contains(text))
            Texts.Add(text);
        int id = Texts.IndexOf(text) + 1;
        return new RegisteredSchema("payments-value", id, id, text, SchemaType.Avro, []);
    }

    private static object Empty(Type list) => typeof(Task).GetMethod(nameof(Task.FromResult))!.MakeGenericMethod(list)
        .Invoke(null, [Activator.CreateInstance(typeof(List<>).MakeGenericType(list.GetGenericArguments()))])!;
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
equal: True
timestamp-micros: id 1 of 1, 2026-01-31 12:00:00Z is read as 2026-01-31 12:00:00Z
timestamp-millis: id 1 of 1, 2026-01-31 12:00:00Z is read as 1970-01-21 11:37:40Z
timestamp-millis: id 1 of 1, 2026-01-31 12:00:00Z is read as 2026-01-31 12:00:00Z
timestamp-micros: id 1 of 1, 2026-01-31 12:00:00Z is read as refused
SEEN
