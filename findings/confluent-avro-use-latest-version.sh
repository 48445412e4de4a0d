#!/usr/bin/env bash
# Confluent.SchemaRegistry.Serdes.Avro 2.16.0 (NuGet), AvroSerializer<ISpecificRecord> with UseLatestVersion.
#
# Expected: the bytes follow the schema whose id stands in front of them (the subject's latest), or the serializer refuses.
# Seen: the id is the latest schema's, the bytes are the class's own. Where the latest schema has the same fields in another order, which
# every compatibility level allows, a consumer reads the values of the wrong fields and nothing fails:
#
#   written a=1 b=2, read by the id in the message: a=2 b=1
#
# A generic record in the same place is refused with an exception, as one would hope for both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable></PropertyGroup>
  <ItemGroup><PackageReference Include="Confluent.SchemaRegistry.Serdes.Avro" Version="[2.16.0]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Reflection;
using Avro.Generic;
using Avro.Specific;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;

// Two versions of one subject: the class is generated from the first, the registry's latest is the second.
string[] versions = [Payment.Text("a", "b"), Payment.Text("b", "a")];
ISchemaRegistryClient registry = DispatchProxy.Create<ISchemaRegistryClient, TwoVersions>();
((TwoVersions)(object)registry).Versions = versions;
var config = new AvroSerializerConfig { AutoRegisterSchemas = false, UseLatestVersion = true };
var context = new SerializationContext(MessageComponentType.Value, "payments");

byte[] message = await new AvroSerializer<Payment>(registry, config).SerializeAsync(new Payment { A = 1, B = 2 }, context);
GenericRecord read = await new AvroDeserializer<GenericRecord>(registry).DeserializeAsync(message, false, context);
Console.WriteLine($"written a=1 b=2, read by the id in the message: a={read["a"]} b={read["b"]}");

var generic = new GenericRecord((Avro.RecordSchema)Avro.Schema.Parse(versions[0]));
generic.Add("a", 1L);
generic.Add("b", 2L);
try
{
    await new AvroSerializer<GenericRecord>(registry, config).SerializeAsync(generic, context);
    Console.WriteLine("generic: accepted");
}
catch (Avro.AvroException)
{
    Console.WriteLine("generic: refused");
}

public sealed class Payment : ISpecificRecord
{
    public static readonly Avro.Schema _SCHEMA = Avro.Schema.Parse(Text("a", "b"));
    public long A, B;
    public Avro.Schema Schema => _SCHEMA;
    public object Get(int field) => field == 0 ? A : B;
    public void Put(int field, object value) { if (field == 0) A = (long)value; else B = (long)value; }
    public static string Text(string first, string second) =>
        $$"""{"type":"record","name":"Payment","fields":[{"name":"{{first}}","type":"long"},{"name":"{{second}}","type":"long"}]}""";
}

/// <summary>A registry in memory: ids and versions are 1 and 2.</summary>
public class TwoVersions : DispatchProxy
{
    public string[] Versions = [];

    protected override object? Invoke(MethodInfo? method, object?[]? arguments) => method!.Name switch
    {
        "GetLatestSchemaAsync" => Task.FromResult(new RegisteredSchema("payments-value", 2, 2, Versions[1], SchemaType.Avro, [])),
        "GetSchemaAsync" or "GetSchemaBySubjectAndIdAsync" =>
            Task.FromResult(new Schema(Versions[(int)arguments!.First(a => a is int)! - 1], SchemaType.Avro)),
        "ConstructValueSubjectName" => "payments-value",
        "GetAssociationsByResourceNameAsync" => Empty(method.ReturnType.GetGenericArguments()[0]),
        "get_MaxCachedSchemas" => 1000,
        "get_Config" => Array.Empty<KeyValuePair<string, string>>(),
        _ when method.ReturnType == typeof(void) || method.Name.StartsWith("get_") => null,
        _ => throw new NotSupportedException(method.Name),
    };

    private static object Empty(Type list) => typeof(Task).GetMethod(nameof(Task.FromResult))!.MakeGenericMethod(list)
        .Invoke(null, [Activator.CreateInstance(list.IsInterface ? typeof(List<>).MakeGenericType(list.GetGenericArguments()) : list)])!;
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
written a=1 b=2, read by the id in the message: a=2 b=1
generic: refused
SEEN
