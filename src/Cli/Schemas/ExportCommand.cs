using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary><c>kes schemas export FOLDER [PREFIX]</c>.</summary>
internal static class ExportCommand
{
    private const string IndexFile = "index.json";

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Create()
    {
        var servers = new ClusterOptions();
        var folder = new Argument<DirectoryInfo>("folder") { Description = "where the files go; made when it is missing" };
        var prefix = new Argument<string>("prefix")
        {
            Description = "only subjects that begin so, such as the name of a topic",
            DefaultValueFactory = _ => "",
        };
        var command = new Command("export",
            $"write every version of every subject to a file of its own, SUBJECT.VERSION.avsc, and {IndexFile}, which tells ids and "
                + "references. Files that are there are written over");
        command.Arguments.Add(folder);
        command.Arguments.Add(prefix);
        servers.AddRegistryTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            using var registry = new CachedSchemaRegistryClient(servers.RegistryOf(result));
            DirectoryInfo target = result.GetValue(folder)!;
            target.Create();
            var index = new JsonArray();
            foreach (string subject in await RegistrySubjects.Of(registry, result.GetValue(prefix)!).ConfigureAwait(false))
            {
                foreach (RegisteredSchema version in await RegistrySubjects.VersionsOf(registry, subject).ConfigureAwait(false))
                {
                    string name = string.Create(CultureInfo.InvariantCulture, $"{FileNameOf(subject)}.{version.Version}.avsc");
                    await File.WriteAllTextAsync(Path.Combine(target.FullName, name), Pretty(version.SchemaString), cancellationToken)
                        .ConfigureAwait(false);
                    index.Add(Entry(version, name));
                }
            }

            await File.WriteAllTextAsync(Path.Combine(target.FullName, IndexFile), index.ToJsonString(Indented) + "\n", cancellationToken)
                .ConfigureAwait(false);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{index.Count} schemas are in {target.FullName}."));
            return ExitCodes.Done;
        });
        return command;
    }

    private static JsonObject Entry(RegisteredSchema version, string file) => new()
    {
        ["subject"] = version.Subject,
        ["version"] = version.Version,
        ["id"] = version.Id,
        ["file"] = file,
        ["references"] = new JsonArray([.. (version.References ?? []).Select(r => (JsonNode)new JsonObject
        {
            ["name"] = r.Name,
            ["subject"] = r.Subject,
            ["version"] = r.Version,
        })]),
    };

    private static string Pretty(string schema)
    {
        try
        {
            return JsonNode.Parse(schema)!.ToJsonString(Indented) + "\n";
        }
        catch (JsonException)
        {
            return schema; // a bare name, or a schema of another kind
        }
    }

    // A subject may have any character; a file of it lies in the folder whatever it has.
    private static string FileNameOf(string subject)
    {
        var name = new StringBuilder(subject.Length);
        foreach (Rune rune in subject.EnumerateRunes())
        {
            if (Rune.IsLetterOrDigit(rune) || rune.Value is '-' or '_' or '.')
                name.Append(rune);
            else
                name.Append(Uri.HexEscape(rune.IsAscii ? (char)rune.Value : '_'));
        }

        return name.ToString();
    }
}
